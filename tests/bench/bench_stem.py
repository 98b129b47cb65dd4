"""Measure STEM: operator, BM3D, methods at home and away, score against spec error, calibration.

    python -m tests.bench.bench_stem                            # a few minutes
    python -m tests.bench.bench_stem --draws 3 --truths 12
    python -m tests.bench.bench_stem --only operator

The bm3d package joins its table where it is installed; its licence is non-commercial.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import importlib.util
import itertools
import time
from collections.abc import Callable
from itertools import islice

import numpy as np
from scipy import fft

from modalities import physics
from modalities.physics.methods.anscombe import expected_counts, stabilised
from modalities.physics.methods.bm3d import bm3d
from modalities.physics.methods.richardson_lucy import LARGEST, Step, updates

SPEC = physics.load("stem")
NAMES = [m.name for m in SPEC.mismatches]
BEST = "richardson_lucy_sieve"
# Of specimens and noise that were measured after the methods had been finished.
SEED = 101


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1, help="seeds of scenes and noise")
    parser.add_argument("--truths", type=int, default=3, help="random truths to calibrate")
    parts = {
        "operator": lambda asked: operator(),
        "bm3d": lambda asked: denoiser(),
        "scenarios": lambda asked: scenarios(asked.draws),
        "kinds": lambda asked: kinds(asked.draws),
        "stops": lambda asked: stops(asked.draws),
        "errors": lambda asked: errors(asked.draws),
        "tiers": lambda asked: tiers(asked.draws),
        "calibration": lambda asked: calibration(asked.truths),
    }
    parser.add_argument("--only", choices=tuple(parts))
    asked = parser.parse_args()
    for name, part in parts.items():
        if asked.only in (None, name):
            part(asked)


def operator() -> None:
    """Time the operator against its FFTs, and an update of Richardson-Lucy against six of them."""
    print("\nOperator, best CPU ms, float32; in brackets: times the floor")
    table_head("distortion %", "3 FFTs", "forward", "adjoint", "6 FFTs", "RL update")
    y = physics.scenarios.measurement(SPEC, 0, "II")
    for distortion in (0.0, 0.5, 1.15):
        H = physics.forward(SPEC, scan_distortion=distortion)
        step = Step(H, y, H.step("detect").noise)
        x = step.start()
        spectrum = fft.rfft2(x)
        there = best(lambda: fft.rfft2(x))  # noqa: B023
        back = best(lambda: fft.irfft2(spectrum, s=x.shape))  # noqa: B023
        floors = there + 2 * back, 2 * there + back
        forward, adjoint = best(lambda: H(x)), best(lambda: H.H(step.data))  # noqa: B023
        update = best(lambda: step(x))  # noqa: B023
        table_row(
            f"{distortion:g}",
            f"{floors[0]:.2f}",
            f"{forward:.2f} ({forward / floors[0]:.2f})",
            f"{adjoint:.2f} ({adjoint / floors[1]:.2f})",
            f"{sum(floors):.2f}",
            f"{update:.2f} ({update / sum(floors):.2f})",
        )


def denoiser() -> None:
    """Denoise the frames of all scenes with our BM3D, and with the package where there is one."""
    peers: dict[str, Callable[[np.ndarray], np.ndarray]] = {"ours": lambda z: bm3d(z, 1.0)}
    if importlib.util.find_spec("bm3d") is not None:
        import bm3d as package

        peers["bm3d package"] = lambda z: package.bm3d(z, 1.0)
    else:
        print("\nThe bm3d package is not installed: only our BM3D is measured.")
    H = physics.forward(SPEC)
    print("\nBM3D on stabilised frames: mean PSNR of the frames in dB, CPU s per scene")
    table_head("", "frame 0°", "frame 90°", "CPU s")
    for name, denoise in peers.items():
        psnrs, start = [], time.process_time()
        for i in range(4):
            y, signal = physics.scenarios.measurement(SPEC, i, "I"), H(physics.scene(SPEC, i))
            noise = H.step("detect").noise
            frames = [denoise(stabilised(noise.dose * f, noise.read_noise)) for f in y]
            counts = [expected_counts(f, noise.read_noise) / noise.dose for f in frames]
            psnrs.append([physics.psnr(s, c) for s, c in zip(signal, counts, strict=True)])
        seconds = (time.process_time() - start) / 4
        table_row(name, *(f"{p:.2f}" for p in np.mean(psnrs, axis=0)), f"{seconds:.2f}")


def scenarios(draws: int) -> None:
    """Reconstruct the four scenes in the four scenarios, calibrated once for each draw."""
    print(f"\nScenarios: mean PSNR/SSIM over four scenes and {draws} draws; CPU s per scene")
    believed = [physics.scenarios.calibrated(SPEC, seed).values for seed in range(draws)]
    table_head("method", *physics.scenarios.SCENARIOS, "ρ", "CPU s")
    for name, method in physics.METHODS["stem"].items():
        if not method.is_available():
            print(f"{name}: needs {method.requires}")
            continue
        means, seconds = {}, []
        for scenario in physics.scenarios.SCENARIOS:
            runs = [
                physics.scenarios.run(SPEC, name, i, scenario, seed, spec_hat=believed[seed])
                for seed in range(draws)
                for i in range(4)
            ]
            means[scenario] = np.mean([(r.psnr, r.ssim) for r in runs], axis=0)
            seconds += [r.cpu_seconds for r in runs]
        rho = physics.scenarios.rho(*(means[s][0] for s in ("II", "III", "IV")))
        cells = [f"{p:.2f}/{s:.3f}" for p, s in means.values()]
        table_row(name, *cells, "-" if rho is None else f"{rho:.2f}", f"{np.mean(seconds):.2f}")


def kinds(draws: int) -> None:
    """Reconstruct every kind of specimen, at home and away, in the scenarios I, II and III."""
    cases = [("public", i) for i in range(8)] + [("dev", i) for i in range(4, 8)]
    names = [SPEC.samples(tier)[i].phantom for tier, i in cases]
    print(f"\nKinds: PSNR in I, II, III; seeds from {SEED}, {draws} draws; then means, then CPU s")
    for method, described in physics.METHODS["stem"].items():
        if not described.is_available():
            print(f"{method}: needs {described.requires}, not measured")
            continue
        start, rows = time.process_time(), []
        for tier, i in cases:
            rows.append(np.mean([_three(method, tier, i, SEED + d) for d in range(draws)], axis=0))
        seconds = (time.process_time() - start) / (3 * draws * len(cases))
        print(method)
        for name, row in zip(names, rows, strict=True):
            table_row(f"  {name}", *(f"{p:.2f}" for p in row))
        for group, part in (("home", rows[:4]), ("public away", rows[4:8]), ("dev away", rows[8:])):
            table_row(f"  = {group}", *(f"{p:.2f}" for p in np.mean(part, axis=0)))
        print(f"  CPU s: {seconds:.2f}")


def _three(method: str, tier: str, index: int, seed: int) -> list[float]:
    """Give the PSNR of one specimen in the scenarios I, II and III."""
    x = physics.scene(SPEC, index, seed, tier)
    psnrs = []
    for true, believed in (
        (SPEC.nominal, SPEC.nominal),
        (SPEC.perturbed, SPEC.nominal),
        (SPEC.perturbed, SPEC.perturbed),
    ):
        y = physics.measure(physics.forward(SPEC, **true), x, np.random.default_rng([seed, index]))
        x_hat = physics.reconstruct(method, physics.forward(SPEC, **believed), y)
        psnrs.append(physics.psnr(x, x_hat))
    return psnrs


def stops(draws: int) -> None:
    """Compare where Richardson-Lucy stops with the best stop, at home and away."""
    print(f"\nRichardson-Lucy, PSNR in III; seeds from {SEED}")
    table_head("kind", "stopped", "best stop", "loses")
    H = physics.forward(SPEC, **SPEC.perturbed)
    for tier, i in [("public", i) for i in range(8)] + [("dev", i) for i in range(4, 8)]:
        for seed in range(SEED, SEED + draws):
            x = physics.scene(SPEC, i, seed, tier)
            y = physics.measure(H, x, np.random.default_rng([seed, i]))
            found = physics.psnr(x, physics.reconstruct("richardson_lucy", H, y))
            images = islice(updates(Step(H, y, H.step("detect").noise)), LARGEST)
            best = max(physics.psnr(x, image) for image in images)
            name = SPEC.samples(tier)[i].phantom
            table_row(name, f"{found:.2f}", f"{best:.2f}", f"{best - found:.2f}")


def errors(draws: int) -> None:
    """Draw the score of the best method against the error of the spec it believes."""
    offsets = (-0.06, -0.03, 0.0, 0.03, 0.06)
    print(f"\n{BEST}: mean tier score in III against spec error / range; seeds from {SEED}")
    table_head("", *(f"{o:+.2f}" for o in offsets), "peak at")
    for name, (low, high) in ranges("public").items():
        for group, cases in (
            ("home", [("public", i) for i in range(4)]),
            ("public away", [("public", i) for i in range(4, 8)]),
            ("dev away", [("dev", i) for i in range(4, 8)]),
        ):
            curve = np.zeros(len(offsets))
            for (tier, i), seed in itertools.product(cases, range(SEED, SEED + draws)):
                x = physics.scene(SPEC, i, seed, tier)
                H = physics.forward(SPEC, **SPEC.perturbed)
                y = physics.measure(H, x, np.random.default_rng([seed, i]))
                for k, offset in enumerate(offsets):
                    theta = SPEC.perturbed | {name: SPEC.perturbed[name] + offset * (high - low)}
                    H = physics.forward(SPEC, **theta)
                    x_hat = physics.reconstruct(BEST, H, y)
                    quality = physics.psnr(x, x_hat), physics.ssim(x, x_hat)
                    score = physics.tier_score(*quality, physics.consistency(y, H, x_hat))
                    curve[k] += score / (len(cases) * draws)
            bend, slope, _ = np.polyfit(offsets, curve, 2)
            peak = f"{-slope / (2 * bend):+.3f}" if bend < 0 else "none"
            table_row(f"{name}, {group}", *(f"{p:.4f}" for p in curve), peak)


def tiers(draws: int) -> None:
    """Take a random truth of each tier and compare the best method at II, III and IV."""
    print(f"\nTiers: mean PSNR/SSIM of {BEST} at one random truth per draw, {draws} draws")
    table_head("tier", "II", "III", "IV", "IV − II", "CPU s calib.")
    for tier in physics.TIERS:
        rows, seconds = [], []
        for draw in range(draws):
            truth, ys, xs = drawn(tier, draw)
            start = time.process_time()
            found = physics.calibrate(SPEC, ys, ranges(tier)).values
            seconds.append(time.process_time() - start)
            believed = (SPEC.nominal, truth, found)
            rows.append([scores(physics.forward(SPEC, **b), xs, ys) for b in believed])
        means = np.mean(rows, axis=0)
        cells = [f"{p:.2f}/{s:.3f}" for p, s in means]
        gain = means[2][0] - means[0][0]
        table_row(tier, *cells, f"{gain:.2f}", f"{np.mean(seconds):.1f}")


def calibration(truths: int) -> None:
    """Calibrate at truths drawn at random in the tiers' ranges; errors as parts of the range."""
    print(f"\nBlind calibration, {truths} truths: error / range")
    table_head("tier", *NAMES, "CPU s")
    errors, pairs = [], []
    for i in range(truths):
        tier = physics.TIERS[i % len(physics.TIERS)]
        truth, ys, _ = drawn(tier, 1000 + i)
        start = time.process_time()
        found = physics.calibrate(SPEC, ys, ranges(tier)).values
        seconds = time.process_time() - start
        pairs.append([[truth[n], found[n]] for n in NAMES])
        errors.append([(found[n] - truth[n]) / np.ptp(ranges(tier)[n]) for n in NAMES])
        table_row(tier, *(f"{e:+.4f}" for e in errors[-1]), f"{seconds:.1f}")
    table_row("rms", *(f"{e:.4f}" for e in np.sqrt(np.mean(np.square(errors), axis=0))))
    table_row("largest", *(f"{e:.4f}" for e in np.abs(errors).max(axis=0)))
    if truths > 2:
        slopes = [np.polyfit(*np.array(pairs)[:, k].T, 1)[0] for k in range(len(NAMES))]
        table_row("slope", *(f"{s:.3f}" for s in slopes))


def drawn(tier: str, seed: int) -> tuple[dict[str, float], list[np.ndarray], list[np.ndarray]]:
    """Draw a truth in the tier's ranges, and measure four scenes of that seed with it."""
    rng = np.random.default_rng([seed, physics.TIERS.index(tier), 4])
    truth = {name: rng.uniform(*ends) for name, ends in ranges(tier).items()}
    H = physics.forward(SPEC, **truth)
    xs = [physics.scene(SPEC, i, seed) for i in range(4)]
    return truth, [physics.measure(H, x, rng) for x in xs], xs


def scores(H: physics.Forward, xs: list[np.ndarray], ys: list[np.ndarray]) -> list[float]:
    """Give the mean PSNR and SSIM of the best method through ``H``."""
    x_hats = [physics.reconstruct(BEST, H, y) for y in ys]
    pairs = list(zip(xs, x_hats, strict=True))
    psnrs, ssims = [physics.psnr(*p) for p in pairs], [physics.ssim(*p) for p in pairs]
    return [float(np.mean(psnrs)), float(np.mean(ssims))]


def ranges(tier: str) -> dict[str, tuple[float, float]]:
    return {name: physics.tier_range(SPEC, name, tier) for name in NAMES}


def best(action: Callable[[], object], repeat: int = 60) -> float:
    """Give the least CPU time of an action in ms: what it takes when nothing else disturbs."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return 1e3 * min(times)


def table_head(*cells: str) -> None:
    table_row(*cells)


def table_row(*cells: str) -> None:
    """Print a line of a table, the first cell wider than the others."""
    print(f"{cells[0]:<22}" + "".join(f"{cell:>18}" for cell in cells[1:]), flush=True)


if __name__ == "__main__":
    main()
