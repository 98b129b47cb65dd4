"""JSON of which there is one spelling, so that a signature covers the meaning and the bytes."""

from __future__ import annotations

import json
from typing import Any


def dump(value: Any) -> bytes:
    """Write JSON in ASCII, keys sorted, without spaces; floats as the shortest that read back."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def load(content: bytes) -> Any:
    """Read JSON as ``dump`` writes it; raise ValueError for any other spelling of the same.

    A key that is there twice, NaN, infinity, 1.0 as 1.00, or a space: none of them comes back.
    """
    try:
        value = json.loads(content.decode("ascii"))
        again = dump(value)
    except RecursionError:
        raise ValueError("The JSON is nested too deeply.") from None
    if again != content:
        raise ValueError("The JSON is not in its canonical form.")
    return value
