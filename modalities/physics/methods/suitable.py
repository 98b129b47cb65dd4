"""What a method asks of an operator beyond its adjoint: real values, entries that are not negative.

An operator that is not suitable is a TypeError that says what the method needs.
"""

from __future__ import annotations

import numpy as np

from ..operator import Array, Operator

# A row may exceed its own sum by this part of the largest sum: band-limited interpolation has small
# negative lobes (below 0.01 in a tilt series at three times its mismatch; 0.6 in a prism's shift).
TOLERANCE = 0.05


def require_real(H: Operator, method: str) -> None:
    """Raise TypeError unless ``H`` is linear, from real objects to real data."""
    if not H.is_linear:
        raise TypeError(f"{method} needs a linear operator; this one is not.")
    for what, dtype in (("objects", H.in_dtype), ("data", H.out_dtype)):
        if dtype is complex:
            raise TypeError(f"{method} needs real {what}; those of this operator are complex.")


def require_nonnegative(H: Operator, sums: Array, method: str) -> None:
    """Raise TypeError unless ``H`` is real and its entries look as if none is negative.

    ``sums`` are the row sums H(1). Without negative entries |H s| ≤ H(1) for all signs s; one draw
    of them is tried, at the cost of one application.
    """
    require_real(H, method)
    signs = np.random.default_rng(0).choice(np.array([-1.0, 1.0], sums.dtype), H.in_shape)
    excess = float((np.abs(H(signs)) - sums).max())
    if excess > TOLERANCE * float(np.abs(sums).max()):
        raise TypeError(
            f"{method} needs an operator without negative entries: it takes the sums of rows and "
            "columns for their lengths."
        )
