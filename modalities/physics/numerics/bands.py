"""Matrices with entries near their diagonal only, applied block by block."""

from __future__ import annotations

import numpy as np

from ..operator import Array

Band = tuple[slice, slice, Array]

# Rows of a block: enough for a fast matrix product, few beside the width of a band.
ROWS = 32


def bands(taps: Array) -> list[Band]:
    """Cut the matrices M[…, i, j] = taps[…, i, j − i + reach] into blocks of rows.

    ``taps`` (…, n, 2·reach + 1) are the rows about the diagonal. Each block comes with its rows and
    the columns that it touches.
    """
    n, reach = taps.shape[-2], taps.shape[-1] // 2
    blocks = []
    for start in range(0, n, ROWS):
        rows = slice(start, min(start + ROWS, n))
        columns = slice(max(start - reach, 0), min(rows.stop + reach, n))
        i, j = np.ogrid[rows, columns]
        lag = j - i + reach
        inside = (lag >= 0) & (lag <= 2 * reach)
        block = np.where(inside, taps[..., i, np.clip(lag, 0, 2 * reach)], 0)
        blocks.append((rows, columns, np.ascontiguousarray(block)))
    return blocks


def transposed(taps: Array) -> Array:
    """Return the taps of the transposed matrices, from those of the matrices (see ``bands``)."""
    n, reach = taps.shape[-2], taps.shape[-1] // 2
    i = np.arange(n)[:, None] + np.arange(-reach, reach + 1)
    found = taps[..., np.clip(i, 0, n - 1), np.arange(2 * reach, -1, -1)]
    return np.where((i >= 0) & (i < n), found, 0)
