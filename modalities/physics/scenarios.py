"""The four scenarios: what the data were made with, and what the reconstruction believes.

``WORDS`` says which is which, for readers of this file and of the pages. II, III and IV share one
measurement, and I uses the same seed of the noise.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .build import forward
from .calibrate import Calibrated, calibrate
from .methods import reconstruct
from .metrics import consistency, psnr, ssim
from .noise import measure
from .operator import Array
from .phantoms import scene
from .progress import Part, Report, silent
from .spec import HOME, Spec, tier_range
from .tables import CatalogueError

TOLERANCE_DB = 0.05
SMALLEST_GAP_DB = 0.1


@dataclass(frozen=True)
class Words:
    """How every page speaks of a scenario; ``short`` is for charts."""

    title: str
    short: str
    measured_with: str
    solved_with: str
    shows: str

    @property
    def meaning(self) -> str:
        return f"measured with {self.measured_with}, solved with {self.solved_with}"


WORDS = {
    "I": Words(
        title="nominal",
        short="ideal",
        measured_with="the nominal operator",
        solved_with="the nominal operator",
        shows="what the method reaches on the instrument as designed",
    ),
    "II": Words(
        title="mismatched",
        short="mismatched",
        measured_with="a perturbed operator",
        solved_with="the nominal operator",
        shows="what the mismatch costs",
    ),
    "III": Words(
        title="true spec",
        short="true spec",
        measured_with="the same perturbed operator",
        solved_with="the perturbed operator itself",
        shows="what perfect calibration gives; no ceiling, a wrong spec can score higher",
    ),
    "IV": Words(
        title="calibrated blind",
        short="calibrated",
        measured_with="the same perturbed operator",
        solved_with="an operator calibrated from the data alone",
        shows="what can really be had",
    ),
}
SCENARIOS = tuple(WORDS)


@dataclass(frozen=True)
class Outcome:
    """One scene in one scenario. ``mismatch_used`` is what the reconstruction believed."""

    x: Array
    y: Array
    x_hat: Array
    psnr: float
    ssim: float
    consistency: float
    mismatch_used: dict[str, float]
    cpu_seconds: float


def run(
    spec: Spec,
    method: str,
    index: int,
    scenario: str,
    seed: int = 0,
    report: Report = silent,
    spec_hat: Mapping[str, float] | None = None,
) -> Outcome:
    """Measure scene ``index``, reconstruct it by ``method`` and compare.

    ``index`` counts the samples of the public tier, those at home first. In scenario IV
    ``spec_hat`` is the calibrated mismatch; without it, it is calibrated here, jointly over the
    scenes of the same group. ``cpu_seconds`` is the reconstruction's alone.
    """
    x = scene(spec, index, seed)
    y = _measured(spec, x, index, scenario, seed)
    calibrates = scenario == "IV" and spec_hat is None
    group = spec.samples("public")[index].group
    used = believed(spec, scenario, seed, Part(report, 0.0, 0.5), spec_hat, group)
    H = forward(spec, **used)
    start = time.process_time()
    x_hat = reconstruct(method, H, y, Part(report, 0.5, 1.0) if calibrates else report)
    seconds = time.process_time() - start
    return Outcome(
        x=x,
        y=y,
        x_hat=x_hat,
        psnr=psnr(x, x_hat),
        ssim=ssim(x, x_hat, spec.channels),
        consistency=consistency(y, H, x_hat),
        mismatch_used=used,
        cpu_seconds=seconds,
    )


def measurement(spec: Spec, index: int, scenario: str, seed: int = 0) -> Array:
    """Make the data of scene ``index``: nominal in scenario I, perturbed in the others."""
    return _measured(spec, scene(spec, index, seed), index, scenario, seed)


def believed(
    spec: Spec,
    scenario: str,
    seed: int = 0,
    report: Report = silent,
    spec_hat: Mapping[str, float] | None = None,
    group: str = HOME,
) -> dict[str, float]:
    """Return the mismatch that the reconstruction is built with."""
    _known(scenario)
    if scenario in ("I", "II"):
        return spec.nominal
    if scenario == "III":
        return spec.perturbed
    return dict(spec_hat) if spec_hat is not None else calibrated(spec, seed, report, group).values


def calibrated(spec: Spec, seed: int = 0, report: Report = silent, group: str = HOME) -> Calibrated:
    """Calibrate blind, jointly over the scenes at home or away, in the public tier's ranges."""
    ys = [measurement(spec, i, "IV", seed) for i in spec.group(group)]
    ranges = {m.name: tier_range(spec, m.name, "public") for m in spec.mismatches}
    return calibrate(spec, ys, ranges, seed, report)


def rho(psnr_ii: float, psnr_iii: float, psnr_iv: float) -> float | None:
    """Return (IV − II)/(III − II), the part of the loss that calibration won back.

    None where the mismatch costs no more than 0.1 dB: there is nothing to win back then.
    """
    gap = psnr_iii - psnr_ii
    return (psnr_iv - psnr_ii) / gap if gap > SMALLEST_GAP_DB else None


def violations(psnrs: Sequence[Mapping[str, float]]) -> list[str]:
    """Name each scene that breaks PSNR(II) ≤ PSNR(IV) ≤ PSNR(III), within 0.05 dB.

    ``psnrs`` holds one mapping from scenario to PSNR per scene, IV where there was a calibration.
    If ignoring the mismatch beats knowing it, or calibration ends outside of the two, the method
    rewards a wrong spec or the calibration failed. I is not part of the order: a perturbed
    instrument may be the better one, as one with a smaller source is.
    """
    found = []
    for i, scores in enumerate(psnrs):
        known = [scenario for scenario in ("III", "IV", "II") if scenario in scores]
        for better, worse in pairwise(known):
            if scores[better] < scores[worse] - TOLERANCE_DB:
                found.append(
                    f"Scene {i}: scenario {worse} reaches {scores[worse]:.2f} dB, more than "
                    f"scenario {better} with {scores[better]:.2f} dB."
                )
    return found


def _measured(spec: Spec, x: Array, index: int, scenario: str, seed: int) -> Array:
    _known(scenario)
    H = forward(spec, **(spec.nominal if scenario == "I" else spec.perturbed))
    return measure(H, x, np.random.default_rng([seed, index, 1]))


def _known(scenario: str) -> None:
    if scenario not in SCENARIOS:
        raise CatalogueError(
            f"There is no scenario '{scenario}'; the scenarios are {', '.join(SCENARIOS)}."
        )
