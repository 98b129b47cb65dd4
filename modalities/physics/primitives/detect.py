"""D, detect: the sensor reads the signal with gain g and adds noise η."""

from __future__ import annotations

import numpy as np

from ..noise import PoissonGaussian
from ..operator import Array, Operator, Shape


class Counts(Operator):
    """A counting detector: y = g·x, real, of the shape that comes in.

    ``gain`` turns the incoming quantity into signal, ``dose`` is counts per unit of signal,
    ``background`` the signal's share that is there without an object (known, and subtracted),
    ``read_noise`` a standard deviation in counts. The adjoint is the gain again.
    """

    def __init__(
        self,
        in_shape: Shape,
        dose: float,
        read_noise: float = 0.0,
        background: float = 0.0,
        gain: float = 1.0,
    ) -> None:
        if dose <= 0:
            raise ValueError(f"dose must be positive (counts per unit of signal), got {dose}.")
        self.in_shape = self.out_shape = in_shape
        self.gain = gain
        self.noise = PoissonGaussian(dose, read_noise, background)

    def describe(self) -> str:
        n = self.noise
        return (
            f"detect/counts {self.in_shape}: gain {self.gain:g}, dose {n.dose:g} counts per unit, "
            f"background {n.background:g}, read noise {n.read_noise:g} counts"
        )

    def _apply(self, x: Array) -> Array:
        return np.asarray(x * self.gain)

    def _adjoint(self, y: Array) -> Array:
        return np.asarray(y * self.gain)
