"""Measure electron tomography: projector, methods in the four scenarios, blind calibration.

    python -m tests.bench.bench_tomography                        # minutes
    python -m tests.bench.bench_tomography --draws 3 --truths 10  # an hour
    python -m tests.bench.bench_tomography --only projector

ASTRA and scikit-image join the projector's table where they are installed.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable

import numpy as np

from modalities import physics
from modalities.physics.numerics.footprint import projection
from modalities.physics.primitives.parallel import StripProjection

SPEC = physics.load("electron_tomography")
NAMES = [m.name for m in SPEC.mismatches]
METHODS = ("wbp", "sirt", "cs")
SIZES = (((64, 64, 64), 47), ((128, 128, 128), 71), (SPEC.shape, 61))


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1, help="noise draws for the scenarios")
    parser.add_argument("--truths", type=int, default=1, help="random truths to calibrate")
    parser.add_argument("--only", choices=("projector", "scenarios", "calibration"))
    asked = parser.parse_args()
    if asked.only in (None, "projector"):
        projector()
    if asked.only in (None, "scenarios"):
        scenarios(asked.draws)
    if asked.only in (None, "calibration"):
        calibration(asked.truths)


def projector() -> None:
    """Time the strip projection against what its memory traffic costs, and against peers."""
    print("\nProjector, CPU ms, float32; in brackets: times ours")
    print("rows in cache: as many row updates by SciPy without a miss; rows read: the reads alone")
    head = ("volume", "views", "forward", "adjoint", "rows in cache", "rows read", *PEERS)
    print("".join(f"{h:>19}" for h in head))
    for shape, views in SIZES:
        angles = np.deg2rad(np.linspace(-60, 60, views))
        H = StripProjection(shape, angles)
        x = np.random.default_rng(0).random(shape).astype(np.float32)
        y = H(x)
        forward, adjoint = milliseconds(lambda: H(x)), milliseconds(lambda: H.H(y))  # noqa: B023
        row = ["×".join(map(str, shape)), str(views), f"{forward:.1f}", f"{adjoint:.1f}"]
        for limit in (rows_in_cache(H, x), rows_read(H, x)):
            row.append(f"{limit:.1f} ({limit / forward:.2f}, {limit / adjoint:.2f})")
        for peer in PEERS.values():
            row.append(versus(peer(x, angles), forward, adjoint))
        print("".join(f"{cell:>19}" for cell in row), flush=True)


def rows_in_cache(H: StripProjection, x: np.ndarray) -> float:
    """Time SciPy with as many entries in each row, but all of them among 32 rows of the volume."""
    matrix, _ = projection(*H.in_shape[:2], H.angles, True)
    near = matrix.copy()
    near.indices = matrix.indices % 32
    rows = x.reshape(-1, x.shape[-1])
    return milliseconds(lambda: near @ rows)


def rows_read(H: StripProjection, x: np.ndarray) -> float:
    """Time reading as many rows as the matrix has entries, by dot products of the whole volume."""
    matrix, _ = projection(*H.in_shape[:2], H.angles, True)
    flat = x.ravel()
    once = milliseconds(lambda: np.dot(flat, flat), repeat=50)
    return once * matrix.nnz * x.shape[-1] / flat.size


def versus(times: tuple[float, float] | None, forward: float, adjoint: float) -> str:
    """Write a peer's times and how many times ours they are."""
    if times is None:
        return "-"
    ratios = times[0] / forward, times[1] / adjoint
    return f"{times[0]:.0f}/{times[1]:.0f} ({ratios[0]:.0f}, {ratios[1]:.0f})"


def astra_times(kind: str, x: np.ndarray, angles: np.ndarray) -> tuple[float, float] | None:
    """Time ASTRA's CPU projector ``kind`` on four slices, scaled to all."""
    if importlib.util.find_spec("astra") is None:
        return None
    import astra

    nz, nx, ny = x.shape
    volume = astra.create_vol_geom(nz, nx)
    rays = astra.create_proj_geom("parallel", 1.0, nx, angles)
    identity = astra.create_projector(kind, rays, volume)
    operator = astra.OpTomo(identity)
    slices = [np.ascontiguousarray(x[:, :, i]) for i in range(0, ny, ny // 4)]
    sinograms = [operator.FP(s) for s in slices]
    scale = ny / len(slices)
    forward = milliseconds(lambda: [operator.FP(s) for s in slices], repeat=3)
    adjoint = milliseconds(lambda: [operator.BP(s) for s in sinograms], repeat=3)
    astra.projector.delete(identity)
    return scale * forward, scale * adjoint


def skimage_times(x: np.ndarray, angles: np.ndarray) -> tuple[float, float] | None:
    """Time scikit-image's radon and iradon on two slices of a square field, scaled to all."""
    from skimage.transform import iradon, radon

    if x.shape[0] != x.shape[1]:
        return None
    degrees = np.rad2deg(angles)
    sinogram = radon(x[:, :, 0], degrees, circle=True)
    forward = milliseconds(lambda: radon(x[:, :, 0], degrees, circle=True), repeat=2)
    adjoint = milliseconds(lambda: iradon(sinogram, degrees, filter_name=None), repeat=2)
    return x.shape[2] * forward, x.shape[2] * adjoint


PEERS: dict[str, Callable[[np.ndarray, np.ndarray], tuple[float, float] | None]] = {
    "ASTRA linear": lambda x, angles: astra_times("linear", x, angles),
    "ASTRA strip": lambda x, angles: astra_times("strip", x, angles),
    "scikit-image": skimage_times,
}


def scenarios(draws: int) -> None:
    """Reconstruct the four scenes in the four scenarios; calibrate once per draw."""
    print("\nScenarios: mean PSNR/SSIM over four scenes; ρ = (IV − II)/(III − II); CPU s per scene")
    print("".join(f"{h:>14}" for h in ("draw", "method", "I", "II", "III", "IV", "ρ", "CPU s")))
    for seed in range(draws):
        believed = physics.scenarios.calibrated(SPEC, seed).values
        for method in METHODS:
            row = [str(seed), method]
            psnrs, seconds = {}, []
            for name in physics.scenarios.SCENARIOS:
                runs = [
                    physics.scenarios.run(SPEC, method, i, name, seed, spec_hat=believed)
                    for i in range(len(SPEC.scenes))
                ]
                psnrs[name] = float(np.mean([r.psnr for r in runs]))
                row.append(f"{psnrs[name]:.2f}/{np.mean([r.ssim for r in runs]):.3f}")
                seconds += [r.cpu_seconds for r in runs]
            rho = physics.scenarios.rho(psnrs["II"], psnrs["III"], psnrs["IV"])
            row += ["-" if rho is None else f"{rho:.2f}", f"{np.mean(seconds):.1f}"]
            print("".join(f"{cell:>14}" for cell in row), flush=True)


def calibration(truths: int) -> None:
    """Calibrate at random truths in the tiers' ranges; then at zero mismatch."""
    print("\nCalibration: truth, estimate and error as a share of the range; CPU seconds")
    print("".join(f"{h:>22}" for h in ("tier", *NAMES, "CPU s")))
    found = []
    for k in range(truths):
        tier = physics.TIERS[k % len(physics.TIERS)]
        rng = np.random.default_rng([2026, k])
        truth = {n: float(rng.uniform(*physics.tier_range(SPEC, n, tier))) for n in NAMES}
        found.append(calibrated(tier, truth, k))
    calibrated("public", SPEC.nominal, truths)
    for j, name in enumerate(NAMES):
        true, estimate, width = np.array([[f[i][j] for i in range(3)] for f in found]).T
        rms = np.sqrt(np.mean(((estimate - true) / width) ** 2))
        line = f"{name}: rms error {rms:.4f} of the range"
        if len(found) > 2:
            line += f", slope {np.polyfit(true, estimate, 1)[0]:.3f}"
        print(line)


def calibrated(
    tier: str, truth: dict[str, float], seed: int
) -> tuple[list[float], list[float], list[float]]:
    """Calibrate one tier's scenes, print the outcome, give truths, estimates and widths."""
    ranges = {n: physics.tier_range(SPEC, n, tier) for n in NAMES}
    H = physics.forward(SPEC, **truth)
    ys = [
        physics.measure(H, physics.scene(SPEC, i, seed), np.random.default_rng([seed, i, 7]))
        for i in range(len(SPEC.scenes))
    ]
    start = time.process_time()
    estimate = physics.calibrate(SPEC, ys, ranges).values
    seconds = time.process_time() - start
    widths = [ranges[n][1] - ranges[n][0] for n in NAMES]
    cells = [
        f"{truth[n]:.3f} {estimate[n]:.3f} ({(estimate[n] - truth[n]) / w:+.4f})"
        for n, w in zip(NAMES, widths, strict=True)
    ]
    print("".join(f"{c:>22}" for c in (tier, *cells, f"{seconds:.0f}")), flush=True)
    return [truth[n] for n in NAMES], [estimate[n] for n in NAMES], widths


def milliseconds(work: Callable[[], object], repeat: int = 10) -> float:
    """Give the shortest CPU time of ``repeat``, after a warm-up; others' work is not counted."""
    work()
    times = []
    for _ in range(repeat):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1e3 * min(times)


if __name__ == "__main__":
    main()
