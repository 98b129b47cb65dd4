"""What a submission file has to hold."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

CPU_SECONDS = 2  # that reading a file may take
LARGEST_VALUE = 1e6  # most that |x_hat| and the end of an interval may be


@dataclass(frozen=True)
class Expectation:
    """The samples, the shape of each ``x_hat``, and the range of each parameter of the spec.

    is_complex: whether the object is complex, and so each ``x_hat`` too.
    """

    samples: tuple[str, ...]
    shape: tuple[int, ...]
    ranges: dict[str, tuple[float, float]]
    is_complex: bool = False

    @property
    def dtype(self) -> str:
        """What a reconstruction is taken as: ``float32`` or ``complex64``, little-endian."""
        return "<c8" if self.is_complex else "<f4"

    @property
    def bytes_per_sample(self) -> int:
        """Size of one reconstruction as float32 or complex64."""
        return (8 if self.is_complex else 4) * math.prod(self.shape)

    @property
    def largest_file(self) -> int:
        """Most bytes a file may have: samples uncompressed in double precision, and some more."""
        return len(self.samples) * self.bytes_per_sample * 2 + (1 << 20)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Expectation:
        data = json.loads(text)
        return cls(
            samples=tuple(data["samples"]),
            shape=tuple(data["shape"]),
            ranges={name: (low, high) for name, (low, high) in data["ranges"].items()},
            is_complex=data["is_complex"],
        )
