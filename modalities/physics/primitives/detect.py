"""D, detect: the sensor reads the signal with gain g and adds noise η.

Every model has a noise model (noise.py) that ``physics.measure`` draws from. ``dose`` is counts per
unit of signal, ``read_noise`` a standard deviation in counts, ``background`` the signal's share
that is there without an object: it is known, and subtracted from the data.
"""

from __future__ import annotations

import numpy as np

from ..noise import Gaussian, PoissonGaussian
from ..numerics.weights import Weights
from ..operator import Array, Operator, Shape


class Counts(Operator):
    """A counting detector: y = g·x, real. The adjoint is the gain again."""

    def __init__(
        self,
        in_shape: Shape,
        dose: float,
        read_noise: float = 0.0,
        background: float = 0.0,
        gain: float = 1.0,
    ) -> None:
        self.in_shape = self.out_shape = in_shape
        self.gain = gain
        self.noise = counting(dose, read_noise, background)

    def describe(self) -> str:
        return f"detect/counts {self.in_shape}: gain {self.gain:g}, {described(self.noise)}"

    def _apply(self, x: Array) -> Array:
        return np.asarray(x * self.gain)

    def _adjoint(self, y: Array) -> Array:
        return np.asarray(y * self.gain)


class Additive(Operator):
    """A linear receiver with white noise of standard deviation ``sigma``: y = g·x.

    With ``real`` false the data are complex, as those of a coil, and so is the noise.
    """

    def __init__(self, in_shape: Shape, sigma: float, gain: float = 1.0, real: bool = True) -> None:
        if sigma < 0:
            raise ValueError(f"sigma is not negative (units of the signal), got {sigma}.")
        self.in_shape = self.out_shape = in_shape
        self.in_dtype = self.out_dtype = float if real else complex
        self.gain = gain
        self.noise = Gaussian(sigma)

    def describe(self) -> str:
        return (
            f"detect/additive {self.in_shape}: gain {self.gain:g}, "
            f"noise {self.noise.sigma:g} (units of the signal)"
        )

    def _apply(self, x: Array) -> Array:
        return np.asarray(x * self.gain)

    def _adjoint(self, y: Array) -> Array:
        return np.asarray(y * self.gain)


class Intensity(Operator):
    """A camera sees y = g·|f + r|² of a complex field f. Nonlinear.

    ``reference`` r is the amplitude of a plane wave along the axis (0: none).
    """

    is_linear = False
    in_dtype = complex

    def __init__(
        self,
        in_shape: Shape,
        dose: float,
        read_noise: float = 0.0,
        background: float = 0.0,
        gain: float = 1.0,
        reference: float = 0.0,
    ) -> None:
        self.in_shape = self.out_shape = in_shape
        self.gain, self.reference = gain, reference
        self.noise = counting(dose, read_noise, background)

    def describe(self) -> str:
        return (
            f"detect/intensity {self.in_shape}: gain {self.gain:g}, reference amplitude "
            f"{self.reference:g}, {described(self.noise)}"
        )

    def derivative(self, x: Array) -> Operator:
        field = self._checked(x, self.in_shape) + self.reference
        return _RealPart(2 * self.gain * np.conj(field))

    def _apply(self, x: Array) -> Array:
        field = x + self.reference
        return np.asarray(self.gain * (field.real**2 + field.imag**2))


class Saturating(Operator):
    """A sensor that fills up: y = s·(1 − exp(−g·x/s)), s the ``full_well``. Nonlinear.

    For small signals y = g·x; no signal exceeds s. The full well is in units of the signal.
    """

    is_linear = False

    def __init__(
        self,
        in_shape: Shape,
        dose: float,
        full_well: float,
        read_noise: float = 0.0,
        background: float = 0.0,
        gain: float = 1.0,
    ) -> None:
        if full_well <= 0:
            raise ValueError(f"full_well must be positive (units of the signal), got {full_well}.")
        self.in_shape = self.out_shape = in_shape
        self.gain, self.full_well = gain, full_well
        self.noise = counting(dose, read_noise, background)

    def describe(self) -> str:
        return (
            f"detect/saturating {self.in_shape}: gain {self.gain:g}, full well "
            f"{self.full_well:g}, {described(self.noise)}"
        )

    def derivative(self, x: Array) -> Operator:
        x = self._checked(x, self.in_shape)
        return Weights(self.in_shape, self.gain * np.exp(-self.gain * x / self.full_well))

    def _apply(self, x: Array) -> Array:
        return np.asarray(-self.full_well * np.expm1(-self.gain * x / self.full_well))


class _RealPart(Operator):
    """y = Re(w·x) from complex x to real y; the adjoint is conj(w)·y."""

    in_dtype = complex

    def __init__(self, weights: Array) -> None:
        self.in_shape = self.out_shape = weights.shape
        self._weights = weights

    def _apply(self, x: Array) -> Array:
        return np.ascontiguousarray((self._weights * x).real)

    def _adjoint(self, y: Array) -> Array:
        return np.asarray(np.conj(self._weights) * y)


def counting(dose: float, read_noise: float, background: float) -> PoissonGaussian:
    if dose <= 0:
        raise ValueError(f"dose must be positive (counts per unit of signal), got {dose}.")
    if read_noise < 0 or background < 0:
        raise ValueError(
            f"read_noise and background are not negative, got {read_noise}, {background}."
        )
    return PoissonGaussian(dose, read_noise, background)


def described(noise: PoissonGaussian) -> str:
    return (
        f"dose {noise.dose:g} counts per unit, background {noise.background:g}, "
        f"read noise {noise.read_noise:g} counts"
    )
