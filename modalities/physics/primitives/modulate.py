"""M, modulate: the amplitude is multiplied by a pattern in space, the same for all bands."""

from __future__ import annotations

import numpy as np

from ..numerics.fourier import shifted
from ..numerics.weights import Weights
from ..operator import Shape


class Mask(Weights):
    """A random coded aperture over the last two axes.

    Each cell of ``feature``² pixels is open with probability ``fill``; ``shift_y`` and ``shift_x``
    displace the mask, in pixels, by band-limited interpolation (which rings at its edges).
    ``seed`` makes the mask; it is one mask for all leading axes. Self-adjoint.
    """

    def __init__(
        self,
        in_shape: Shape,
        fill: float = 0.5,
        feature: int = 1,
        shift_y: float = 0.0,
        shift_x: float = 0.0,
        seed: int = 0,
    ) -> None:
        if not 0 < fill <= 1:
            raise ValueError(f"fill must lie in (0, 1], got {fill}.")
        if feature < 1:
            raise ValueError(f"feature must be at least one pixel, got {feature}.")
        self.fill, self.feature, self.shift = fill, feature, (shift_y, shift_x)
        ny, nx = in_shape[-2:]
        cells = np.random.default_rng(seed).random((-(-ny // feature), -(-nx // feature))) < fill
        mask = np.kron(cells, np.ones((feature, feature)))[:ny, :nx]
        super().__init__(in_shape, shifted(mask, shift_y, shift_x))

    def describe(self) -> str:
        return (
            f"modulate/mask {self.in_shape}: cells of {self.feature} px, {self.fill:.0%} open, "
            f"displaced by ({self.shift[0]:g}, {self.shift[1]:g}) px"
        )
