"""P(e⁻): the aberrated electron probe of a scanning microscope, one image per defocus.

Lengths in Å, voltage in kV, the convergence semi-angle in mrad, defocus in nm, C3 in µm, C5 in mm.
With θ = λ|k|, the probe is ψ = F⁻¹[A(k)·exp(−iχ(k))],
χ = (2π/λ)(C1θ²/2 + C3θ⁴/4 + C5θ⁶/6) (Kirkland 2010, eq. 2.10), and an incoherent image is the
object convolved by |ψ|², which sums to one (Nellist & Pennycook 1999).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import fft

from ..operator import Array, Operator, Shape

NM, UM, MM, MRAD = 10.0, 1e4, 1e7, 1e-3  # in Å, Å, Å, rad


def wavelength(voltage: float) -> float:
    """Return the relativistic wavelength in Å of electrons at ``voltage`` kV (Kirkland eq. 2.5)."""
    return float(12.3986 / np.sqrt((2 * 510.999 + voltage) * voltage))


@lru_cache(maxsize=64)
def probe_transfer(
    shape: Shape,
    pixel: float,
    voltage: float,
    convergence_angle: float,
    defocus: float,
    c3: float,
    c5: float,
) -> Array:
    """Return the transfer function of |ψ|² on rfft2 frequencies of an image of ``shape``.

    Real, because |ψ|² is even; one at k = 0. Cached by every argument; do not write to it.
    """
    transfer = fft.rfft2(_intensity(shape, pixel, voltage, convergence_angle, defocus, c3, c5)).real
    transfer.setflags(write=False)
    return np.asarray(transfer)


class ElectronProbe(Operator):
    """Blur an image (y, x) by one probe per ``defocus``: (frame, y, x). The adjoint sums them.

    The aperture has a soft edge two frequency samples wide, twice differentiable, so that the probe
    is smooth in the convergence angle. Periodic: the object keeps a margin.
    """

    def __init__(
        self,
        in_shape: Shape,
        voltage: float,
        convergence_angle: float,
        defocus: Sequence[float],
        c3: float,
        c5: float,
        pixel: float,
    ) -> None:
        if len(in_shape) != 2:
            raise ValueError(f"the electron probe takes an image (y, x), got {in_shape}.")
        if voltage <= 0 or convergence_angle <= 0 or pixel <= 0:
            raise ValueError(
                "voltage, convergence_angle and pixel must be positive, got "
                f"{voltage} kV, {convergence_angle} mrad, {pixel} Å."
            )
        limit = wavelength(voltage) / (4 * pixel) / MRAD
        if convergence_angle >= limit:
            raise ValueError(
                f"at {voltage:g} kV pixels of {pixel:g} Å sample a convergence_angle below "
                f"{limit:.4g} mrad only, got {convergence_angle:g}."
            )
        self.in_shape, self.out_shape = in_shape, (len(defocus), *in_shape)
        self.voltage, self.convergence_angle, self.defocus = voltage, convergence_angle, defocus
        self.c3, self.c5, self.pixel = c3, c5, pixel

    def describe(self) -> str:
        return (
            f"propagate/electron_probe {self.in_shape} → {self.out_shape}: {self.voltage:g} kV, "
            f"{self.convergence_angle:g} mrad, defocus {', '.join(f'{c:g}' for c in self.defocus)} "
            f"nm, C3 {self.c3:g} µm, C5 {self.c5:g} mm, pixel {self.pixel:g} Å"
        )

    @property
    def transfer(self) -> Array:
        """The transfer functions, real, (frame, ky, kx) on rfft2 frequencies."""
        return np.stack([probe_transfer(*self._arguments(c)) for c in self.defocus])

    def intensity(self) -> Array:
        """Return the probes |ψ|², each summing to one, (frame, y, x), centred on index n // 2."""
        probes = np.stack([_intensity(*self._arguments(c)) for c in self.defocus])
        return np.asarray(fft.fftshift(probes, axes=(-2, -1)))

    def _arguments(self, defocus: float) -> tuple[Shape, float, float, float, float, float, float]:
        angle = self.convergence_angle
        return self.in_shape, self.pixel, self.voltage, angle, defocus, self.c3, self.c5

    def _apply(self, x: Array) -> Array:
        spectrum = fft.rfft2(x)
        return np.asarray(fft.irfft2(self._like(spectrum) * spectrum, s=self.in_shape))

    def _adjoint(self, y: Array) -> Array:
        spectra = fft.rfft2(y)
        spectra *= self._like(spectra)
        return np.asarray(fft.irfft2(spectra.sum(axis=0), s=self.in_shape))

    def _like(self, spectrum: Array) -> Array:
        return self.transfer.astype(spectrum.real.dtype, copy=False)


def _intensity(
    shape: Shape,
    pixel: float,
    voltage: float,
    convergence_angle: float,
    defocus: float,
    c3: float,
    c5: float,
) -> Array:
    """Return |ψ|², summing to one, with its middle on index 0."""
    lam = wavelength(voltage)
    ky, kx = (fft.fftfreq(n, pixel) for n in shape)
    theta2 = lam**2 * (ky[:, None] ** 2 + kx[None, :] ** 2)
    step = 1 / (max(shape) * pixel)
    edge = (convergence_angle * MRAD - np.sqrt(theta2)) / (lam * step)
    ramp = np.clip(edge / 2 + 0.5, 0.0, 1.0)
    aperture = ramp**3 * (10 - 15 * ramp + 6 * ramp**2)
    chi = (2 * np.pi / lam) * (
        defocus * NM * theta2 / 2 + c3 * UM * theta2**2 / 4 + c5 * MM * theta2**3 / 6
    )
    psi = fft.ifft2(aperture * np.exp(-1j * chi))
    intensity = psi.real**2 + psi.imag**2
    return np.asarray(intensity / intensity.sum())
