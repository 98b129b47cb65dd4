"""P, propagate: a field crosses free space, a spectrum crosses a medium.

Free space: the field's angular spectrum is multiplied by the transfer function of a distance z.
A plane wave keeps its phase: the common factor exp(2πiz/λ) is left out. The field is embedded
in zeros twice its size and cut out again; the sampling carries to z ≈ N·pixel²/λ (Goodman 2005,
ch. 5), beyond which the transfer function itself is too coarse.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from ..numerics.fourier import cut, embed, real_filter
from ..operator import Array, Operator, Shape


class _FreeSpace(Operator):
    """Carry a field over its last two axes by ``distance``; λ, z and pixel share one unit.

    With ``real`` what comes in is a real transmission lit by a plane wave, and the adjoint's
    imaginary part is dropped. The adjoint propagates back.
    """

    name = ""

    def __init__(
        self,
        in_shape: Shape,
        wavelength: float,
        distance: float,
        pixel: float,
        real: bool = False,
    ) -> None:
        if wavelength <= 0 or pixel <= 0:
            raise ValueError(f"wavelength and pixel must be positive, got {wavelength}, {pixel}.")
        self.in_shape = self.out_shape = in_shape
        self.wavelength, self.distance, self.pixel, self.real = wavelength, distance, pixel, real
        self.in_dtype, self.out_dtype = (float if real else complex), complex
        *rest, ny, nx = in_shape
        self._frame = (*rest, 2 * ny, 2 * nx)
        self._start = (*(0 for _ in rest), ny // 2, nx // 2)
        ky, kx = fft.fftfreq(2 * ny, pixel), fft.fftfreq(2 * nx, pixel)
        self._transfer = self._phase(ky[:, None] ** 2 + kx[None, :] ** 2)

    def describe(self) -> str:
        return (
            f"propagate/{self.name} {self.in_shape}: λ {self.wavelength:g}, distance "
            f"{self.distance:g}, pixel {self.pixel:g} (one unit for all)"
        )

    def _phase(self, k2: Array) -> Array:
        raise TypeError(f"{type(self).__name__} defines no transfer function.")

    def _apply(self, x: Array) -> Array:
        return self._through(x, self._transfer)

    def _adjoint(self, y: Array) -> Array:
        x = self._through(y, np.conj(self._transfer))
        return np.ascontiguousarray(x.real) if self.real else x

    def _through(self, field: Array, transfer: Array) -> Array:
        spectrum = fft.fft2(embed(field, self._frame, self._start))
        spectrum *= transfer.astype(spectrum.dtype, copy=False)
        return cut(fft.ifft2(spectrum), self.in_shape, self._start)


class Fresnel(_FreeSpace):
    """Paraxial propagation, exp(−iπλzk²) (Goodman 2005, sec. 4.2)."""

    name = "fresnel"

    def _phase(self, k2: Array) -> Array:
        return np.asarray(np.exp(-1j * np.pi * self.wavelength * self.distance * k2))


class RayleighSommerfeld(_FreeSpace):
    """Exact scalar propagation, exp(2πiz(√(1/λ² − k²) − 1/λ)): Rayleigh-Sommerfeld's first
    solution as an angular spectrum (Goodman 2005, sec. 3.10). Evanescent waves decay with |z|.
    """

    name = "rayleigh_sommerfeld"

    def _phase(self, k2: Array) -> Array:
        along = np.sqrt((1 / self.wavelength**2 - k2).astype(complex))
        advance = self.distance * (along.real - 1 / self.wavelength)
        return np.asarray(np.exp(2 * np.pi * (1j * advance - abs(self.distance) * along.imag)))


class PluralScattering(Operator):
    """Cross a specimen of ``thickness`` inelastic mean free paths, τ = t/λ. Nonlinear.

    x (energies, …) is the distribution of a single energy loss, summing to one where it is
    complete; a fast electron loses energy Poisson-often, so that the spectrum is
    e^{−τ}·(δ + τx + τ²x∗x/2! + …): in Fourier space over energy exp(τ(X − 1)) (Egerton 2011,
    sec. 4.1). Channel 0 is no loss. Losses beyond the last channel leave it.
    """

    is_linear = False
    # The transform is taken on a circle of radius r < 1, where r^n for the padded length n is
    # this: losses that wrap round are suppressed by as much, rounding errors hardly amplified.
    DAMPING = 1e-6

    def __init__(self, in_shape: Shape, thickness: float) -> None:
        if thickness < 0:
            raise ValueError(f"thickness is not negative (mean free paths), got {thickness}.")
        self.in_shape = self.out_shape = in_shape
        self.thickness = thickness
        self._frame = (4 * in_shape[0], *in_shape[1:])
        powers = self.DAMPING ** (np.arange(in_shape[0]) / self._frame[0])
        self._circle = powers.reshape(-1, *(1,) * (len(in_shape) - 1))

    def describe(self) -> str:
        return f"propagate/plural_scattering {self.in_shape}: {self.thickness:g} mean free paths"

    def derivative(self, x: Array) -> Operator:
        return _PluralDerivative(self, self._checked(x, self.in_shape))

    def _apply(self, x: Array) -> Array:
        # The impulse response carries e^{τ(X−1)} to the energy axis: filter a δ with it.
        delta = np.zeros_like(x)
        delta[0] = 1.0
        return self.filtered(delta, self.spectrum(x))

    def spectrum(self, x: Array) -> Array:
        """Return exp(τ(X − 1)) on the circle: the spectrum of the plural distribution."""
        circle = self._circle.astype(x.dtype, copy=False)
        X = fft.rfft(x * circle, self._frame[0], axis=0)
        return np.asarray(np.exp(self.thickness * (X - 1)))

    def filtered(self, x: Array, transfer: Array) -> Array:
        """Convolve over energy by a transfer function on the circle."""
        circle = self._circle.astype(x.dtype, copy=False)
        return np.asarray(self._padded(x * circle, transfer) / circle)

    def filtered_adjoint(self, y: Array, transfer: Array) -> Array:
        """Apply the adjoint of ``filtered``."""
        circle = self._circle.astype(y.dtype, copy=False)
        return np.asarray(circle * self._padded(y / circle, np.conj(transfer)))

    def _padded(self, x: Array, transfer: Array) -> Array:
        start = (0,) * x.ndim
        filtered = real_filter(embed(x, self._frame, start), transfer, (0,))
        return cut(filtered, x.shape, start)


class _PluralDerivative(Operator):
    """The Jacobian at x: convolution by τ times the plural distribution itself."""

    def __init__(self, at: PluralScattering, x: Array) -> None:
        self.in_shape, self.out_shape = at.in_shape, at.out_shape
        self._at = at
        self._transfer = at.thickness * at.spectrum(x)

    def _apply(self, x: Array) -> Array:
        return self._at.filtered(x, self._transfer)

    def _adjoint(self, y: Array) -> Array:
        return self._at.filtered_adjoint(y, self._transfer)
