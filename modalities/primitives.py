"""The letters and the plain words of the eleven primitives; their code is in physics.primitives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Primitive:
    """One primitive as pages show it; ``name`` is its key in ``physics.PRIMITIVES``."""

    name: str
    symbol: str
    summary: str

    @property
    def title(self) -> str:
        return self.name.capitalize()


PRIMITIVES = (
    Primitive(
        "propagate",
        "P",
        "Carries a wave through free space or a medium (Fresnel, Rayleigh–Sommerfeld).",
    ),
    Primitive(
        "modulate",
        "M",
        "Multiplies the amplitude in space, or in space and time, by a coded aperture or the "
        "pattern of a light modulator (SLM).",
    ),
    Primitive("project", "Π", "Integrates along lines: Radon transform, fan beam, cone beam."),
    Primitive(
        "sample", "F", "Samples the Fourier transform, the k-space of MRI or of ptychography."
    ),
    Primitive(
        "convolve",
        "C",
        "Convolves with a point-spread function (PSF) that is the same everywhere.",
    ),
    Primitive("accumulate", "Σ", "Adds up along a physical dimension: spectrum, time or angle."),
    Primitive(
        "detect",
        "D",
        "Reads out a sensor with gain g and noise model η: Gaussian, Poisson or mixed.",
    ),
    Primitive("illuminate", "S", "Lights the scene with a pattern: blocks, Hadamard or random."),
    Primitive(
        "disperse",
        "W",
        "Spreads the spectrum as a prism or a grating does, by a shift α through an aperture a.",
    ),
    Primitive("rotate", "R", "Turns the sample or the gantry (CT, electron tomography)."),
    Primitive(
        "select", "Λ", "Passes one band of wavelengths: a spectral filter or a monochromator."
    ),
)
SYMBOLS = {primitive.name: primitive.symbol for primitive in PRIMITIVES}


def formula(chain: list[tuple[str, str]]) -> str:
    """Write a chain of (primitive, label) as ``P(e⁻) → C(probe) → D(g, η₁)``."""
    return " → ".join(f"{SYMBOLS[name]}({label})" for name, label in chain)
