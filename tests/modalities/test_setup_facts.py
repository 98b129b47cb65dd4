"""The set-up that a page states is the one that is simulated."""

import math
import tomllib

import pytest

from modalities import physics
from modalities.physics.catalogue import CATALOGUE
from modalities.physics.primitives.electron_probe import wavelength


def setup(key: str) -> dict[str, str]:
    data = tomllib.loads((CATALOGUE / f"{key}.toml").read_text("utf-8"))
    return {row["label"]: row["value"] for row in data["setup"]}


def stem() -> dict[str, str]:
    spec = physics.load("stem")
    probe, source, scan = (step.args for step in spec.chain)
    defocus, rotation = probe["defocus"][1], scan["rotations"][1]
    return {
        "Electron source": f"{probe['voltage']:g} kV, wavelength {wavelength(200):.4f} Å",
        "Convergence semi-angle": f"{probe['convergence_angle']:g} mrad",
        "Residual aberrations": f"C₃ = {probe['c3']:g} µm, C₅ = {probe['c5']:g} mm",
        "Effective source size": f"{source['fwhm']:.2f} Å (FWHM)",
        "Field of view": f"{spec.shape[0]} × {spec.shape[1]} pixels of {spec.pixel:g} Å",
        "Frames": f"{rotation}° at −{-defocus:g} nm defocus",
        "Dose": f"{scan['dose']:g} counts per pixel and object unit, "
        f"read-out noise {scan['read_noise']:g} counts",
    }


def electron_tomography() -> dict[str, str]:
    spec = physics.load("electron_tomography")
    tilt, probe, beam, counts = (step.args for step in spec.chain)
    slope = probe["field_factor"] * spec.perturbed["defocus_gradient"] / 1000
    nz, nx, ny = spec.shape
    return {
        "Tilt series": f"±{-tilt['first']:g}° in steps of {tilt['step']:g}°, {tilt['views']} views",
        "Convergence semi-angle": f"{probe['convergence_angle']:g} mrad",
        "Dose": f"{counts['dose']:g} electrons per pixel and {1 / beam['scattering']:g} nm of the "
        "densest matter, background "
        f"{counts['background']:.0%}".replace("%", " %"),
        "Focal plane": f"{probe['field_factor']:g} times as wide as the volume, tilts it by "
        f"{math.degrees(math.atan(slope)):.1f}°",
        "Volume": f"{nz} × {nx} × {ny} voxels of {spec.pixel:g} nm (z, x, y)",
    }


@pytest.mark.parametrize("expected", [stem, electron_tomography], ids=lambda f: f.__name__)
def test_set_up_says_what_the_chain_computes_with(expected) -> None:
    stated = setup(expected.__name__)
    for label, value in expected().items():
        assert value in stated[label]
