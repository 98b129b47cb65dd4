"""A frame that the linear model did not make: SrTiO₃ by multislice, as an away sample.

The multislice image of a cell (``multislice.json``) fills the field like a crystal of 5 nm, turned
by a few degrees. The linear model sees the same crystal as Gaussian columns. Both frames get the
same source, scan, dose and noise, so what differs is the physics of scattering alone. Near the
crystal's edge the linear model is kept in both: there multislice has no periodic answer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from modalities import physics
from modalities.physics.noise import noise_of
from modalities.physics.numerics.fourier import centred
from modalities.physics.phantoms.stem import CONTRAST, ELEMENTS, MARGIN

from .multislice import FILE

TURN = 7.0  # degrees: the lattice lies along no axis of the scan
SITES = {"Sr": [(0.0, 0.0)], "Ti": [(0.5, 0.5)], "O": [(0.5, 0.5), (0.5, 0.0), (0.0, 0.5)]}
EDGE = 2.0  # Å beyond the crystal's outermost columns


@dataclass(frozen=True)
class Crystal:
    """The object ``x`` of the linear model, its signal and the one by multislice, without noise.

    ``columns`` are the intensities at Ti-O and Sr, before the scan, by the name of the model.
    """

    spec: physics.Spec
    x: np.ndarray
    signals: dict[str, np.ndarray]
    columns: dict[str, tuple[float, float]]
    about: dict[str, object]

    def ratio(self, model: str) -> float:
        """Return the intensity at Ti-O over that at Sr in the focused frame."""
        titanium, strontium = self.columns[model]
        return titanium / strontium

    @property
    def apart(self) -> float:
        """Root mean square of the difference of the signals, over the largest signal."""
        linear, real = self.signals["linear"], self.signals["multislice"]
        return float(np.sqrt(np.mean((real - linear) ** 2)) / linear.max())


def frames(spec: physics.Spec) -> Crystal:
    """Make both signals at the perturbed mismatch of ``spec``."""
    about = json.loads(FILE.read_text())
    microscope = physics.forward(spec, **spec.perturbed).steps[0]
    probe = microscope.probe
    same = {k: getattr(probe, k) for k in ("voltage", "convergence_angle", "c3", "c5")}
    same["defocus"] = list(probe.defocus)
    if other := [k for k, v in same.items() if not np.allclose(about[k], v)]:
        raise SystemExit(
            f"The microscope has changed in {', '.join(other)}: simulate the crystal anew with "
            "python -m tests.bench.multislice."
        )
    x, everywhere = crystal(spec, about["cell"], about["layers"])
    linear = microscope.source(probe(everywhere))
    cells = np.array(about["frames"])
    real = microscope.source(np.stack([filled(spec, c, about["cell"]) for c in cells]))
    window = inside(spec)
    gain = np.vdot(window * real, linear) / np.vdot(window * real, real)
    expected = microscope.source(probe(x))
    error = window * (gain * real - linear)
    images = {"linear": expected, "multislice": expected + error}
    return Crystal(
        spec,
        x,
        {name: microscope.scan(image) for name, image in images.items()},
        {
            "linear": at_columns(spec, linear[0], about["cell"]),
            "multislice": at_columns(spec, real[0], about["cell"]),
        },
        about,
    )


def table(crystal: Crystal) -> str:
    """Reconstruct and calibrate from both frames; say what is lost, as rows of Markdown."""
    spec, truth = crystal.spec, crystal.spec.perturbed
    ranges = {m.name: physics.tier_range(spec, m.name, "public") for m in spec.mismatches}
    noise = noise_of(physics.forward(spec))
    lines = ["", "| method | frame | II | true spec | calibrated |", "|---|---|---|---|---|"]
    found = {}
    ys = {}
    for name, signal in crystal.signals.items():
        ys[name] = noise.sample(signal, np.random.default_rng(11))
        begun = time.process_time()
        found[name] = physics.calibrate(spec, [ys[name]], ranges)
        seconds = time.process_time() - begun
        lines.append(f"<!-- calibrated {name} in {seconds:.0f} CPU s -->")
    for label, method in physics.METHODS["stem"].items():
        if not method.is_available() or not method.is_deterministic:
            continue
        for name, y in ys.items():
            specs: Sequence[dict[str, float]] = (spec.nominal, truth, found[name].values)
            scores = [
                physics.psnr(crystal.x, physics.reconstruct(label, physics.forward(spec, **s), y))
                for s in specs
            ]
            lines.append(f"| {label} | {name} | " + " | ".join(f"{s:.2f}" for s in scores) + " |")
    lines += [
        "",
        "| parameter | truth | by the linear frame | by multislice |",
        "|---|---|---|---|",
    ]
    for m in spec.mismatches:
        cells = [told(found[name], m.name) for name in crystal.signals]
        lines.append(f"| {m.name} ({m.unit}) | {truth[m.name]:g} | {cells[0]} | {cells[1]} |")
    widths = [f"{effective_width(crystal, name):.2f} Å" for name in crystal.signals]
    lines.append(f"| width of column that fits best | | {widths[0]} | {widths[1]} |")
    fits = [f"{f.chi2:.3f} ({f.chi2_expected:.3f} ± {f.chi2_std:.3f})" for f in found.values()]
    lines.append(f"| χ² (expected) | | {fits[0]} | {fits[1]} |")
    return "\n".join(lines)


def effective_width(crystal: Crystal, name: str) -> float:
    """Find the standard deviation of Gaussian columns (Å) that explains a noise-free signal best.

    All columns alike in width; Sr, Ti-O, O and a background are fitted, at the true spec.
    """
    spec = crystal.spec
    H = physics.forward(spec, **spec.perturbed)
    cell, window = float(crystal.about["cell"]), inside(spec) > 0.5  # type: ignore[arg-type]
    ys, xs = (centred(n) * spec.pixel for n in spec.shape)
    data = np.concatenate([frame[window] for frame in crystal.signals[name]])
    misfits = {}
    for width in np.arange(0.08, 0.42, 0.02):
        parts = [np.ones_like(data)]
        for sites in ([(0.0, 0.0)], [(0.5, 0.5)], [(0.5, 0.0), (0.0, 0.5)]):
            points = np.concatenate([lattice(spec, cell, site) for site in sites])
            places = [
                [bell(c - p, width) for p in line]
                for c, line in zip((ys, xs), points.T, strict=True)
            ]
            image = np.asarray(places[0]).T @ np.asarray(places[1])
            parts.append(np.concatenate([frame[window] for frame in H(image)]))
        basis = np.stack(parts, 1)
        left = data - basis @ np.linalg.lstsq(basis, data, rcond=None)[0]
        misfits[float(width)] = float(left @ left)
    return min(misfits, key=misfits.__getitem__)


def told(found: physics.Calibrated, name: str) -> str:
    """Write an estimate with its interval, or that the calibration abstained."""
    low, high = found.intervals[name]
    words = f"{found.values[name]:.3f} [{low:.3f}, {high:.3f}]"
    return f"abstained: {words}" if name in found.abstained else words


def crystal(spec: physics.Spec, cell: float, layers: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the crystal as Gaussian columns: inside the margin, and over all of the field."""
    shown, everywhere = np.zeros(spec.shape), np.zeros(spec.shape)
    half = np.array(spec.shape) * spec.pixel / 2
    ys, xs = (centred(n) * spec.pixel for n in spec.shape)
    for element, sites in SITES.items():
        z, width = ELEMENTS[element]
        for site in sites:
            for y, x in lattice(spec, cell, site):
                column = layers * z**CONTRAST * np.outer(bell(ys - y, width), bell(xs - x, width))
                everywhere += column
                if max(abs(y) - half[0], abs(x) - half[1]) < -MARGIN:
                    shown += column
    brightest = shown.max()
    return shown / brightest, everywhere / brightest


def bell(offset: np.ndarray, width: float) -> np.ndarray:
    return np.exp(-(offset**2) / (2 * width**2))


def lattice(spec: physics.Spec, cell: float, site: tuple[float, float]) -> np.ndarray:
    """List where a site lies in and around the field, (n, 2) as y, x in Å from the middle."""
    reach = int(np.hypot(*spec.shape) * spec.pixel / 2 / cell) + 2
    i = np.arange(-reach, reach + 1)
    grid = np.stack(np.meshgrid(i + site[0], i + site[1], indexing="ij"), -1).reshape(-1, 2)
    points = cell * grid @ turned().T
    half = np.array(spec.shape) * spec.pixel / 2 + 3
    return points[(np.abs(points) < half).all(1)]


def turned() -> np.ndarray:
    phi = np.deg2rad(TURN)
    return np.array([[np.cos(phi), -np.sin(phi)], [np.sin(phi), np.cos(phi)]])


def filled(spec: physics.Spec, image: np.ndarray, cell: float) -> np.ndarray:
    """Fill the field with a periodic cell [y, x], turned: its Fourier series at every pixel."""
    n = len(image)
    series = np.fft.fft2(image) / image.size
    order = np.fft.fftfreq(n, 1 / n)
    ys, xs = np.meshgrid(*(centred(k) * spec.pixel for k in spec.shape), indexing="ij")
    places = np.stack([ys, xs], -1).reshape(-1, 2) @ turned() / cell
    down = np.exp(2j * np.pi * places[:, :1] * order)
    across = np.exp(2j * np.pi * places[:, 1:] * order)
    return np.einsum("pi,ij,pj->p", down, series, across, optimize=True).real.reshape(spec.shape)


def inside(spec: physics.Spec) -> np.ndarray:
    """Return a window: one inside the crystal, falling softly to zero at its border."""
    lines = [
        (np.abs(centred(n) * spec.pixel) < n * spec.pixel / 2 - MARGIN - EDGE).astype(float)
        for n in spec.shape
    ]
    return ndimage.gaussian_filter(np.outer(*lines), 0.7 / spec.pixel)


def at_columns(spec: physics.Spec, image: np.ndarray, cell: float) -> tuple[float, float]:
    """Return the mean intensity at the columns of Ti-O and of Sr, well inside the field."""
    found = []
    for site in ((0.5, 0.5), (0.0, 0.0)):
        points = lattice(spec, cell, site)
        half = np.array(spec.shape) * spec.pixel / 2 - MARGIN - 2 * EDGE
        points = points[(np.abs(points) < half).all(1)]
        places = points / spec.pixel + (np.array(spec.shape) - 1) / 2
        found.append(float(ndimage.map_coordinates(image, places.T, order=3).mean()))
    return found[0], found[1]
