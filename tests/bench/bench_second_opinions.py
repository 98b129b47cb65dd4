"""Compare our physics with programs that others wrote, and note the differences for the pages.

    python -m tests.bench.bench_second_opinions                  # a few minutes
    python -m tests.bench.bench_second_opinions --only tv bm3d

The others are ASTRA, scikit-image, bm3d, abTEM and etspy; a comparison whose program is missing is
left out, and says how to install it. What was compared is written to
``modalities/second_opinions.json`` with date and versions; earlier figures stay until they are
compared anew. The command fails where a difference is larger than its limit, which was set before.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from modalities import physics
from modalities.physics import tilt_alignment
from modalities.physics.methods.anscombe import expected_counts, stabilised
from modalities.physics.methods.bm3d import bm3d
from modalities.physics.methods.cs import cs
from modalities.physics.methods.sirt import sirt
from modalities.physics.methods.tv import Prox, total_variation
from modalities.physics.noise import noise_of
from modalities.physics.primitives.parallel import StripProjection
from modalities.physics.versions import program_sha256

from . import thin_crystal

# Iterations of the independent algorithm for total variation: twice as many change nothing.
LONG = 20000

FILE = Path(physics.__file__).parents[1] / "second_opinions.json"


@dataclass(frozen=True)
class Opinion:
    """One comparison: ``difference`` in ``unit``, no larger than ``limit`` if both are right."""

    modality: str
    what: str
    difference: float
    unit: str
    limit: float
    detail: str = ""
    against: str = ""  # instead of the package and its version


Compare = Callable[[], Iterator[Opinion]]


def main() -> None:
    """Run the comparisons that were asked for, print them and keep them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=tuple(COMPARISONS), default=list(COMPARISONS))
    asked = parser.parse_args().only
    kept = {row["what"]: row for row in json.loads(FILE.read_text())} if FILE.exists() else {}
    wrong = []
    for name in asked:
        package, compare = COMPARISONS[name]
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            print(f"\n{name}: NOT RUN, because {package} is missing. {INSTALL[package]}")
            continue
        begun = time.process_time()
        for found in compare():
            peer = found.against or f"{package} {version}"
            print(f"\n{name}: {found.what}, against {peer}")
            print(f"    {found.difference:.3g} {found.unit}, limit {found.limit:g} {found.detail}")
            kept[found.what] = asdict(found) | {"against": peer} | evidence(name)
            if not found.difference <= found.limit:
                wrong.append(found.what)
        print(f"    {time.process_time() - begun:.1f} CPU s")
    rows = sorted(kept.values(), key=lambda row: (row["modality"], row["name"], row["what"]))
    FILE.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    if wrong:
        sys.exit(f"Larger than the limit: {'; '.join(wrong)}.")


def evidence(name: str) -> dict[str, str]:
    """Say by which comparison and which code of ours, and when."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {"name": name, "program_sha256": program_sha256(), "date": today}


def projectors() -> Iterator[Opinion]:
    """Project a slice of every scene by ASTRA's strips, and reconstruct it by ASTRA's SIRT."""
    import astra

    spec = physics.load("electron_tomography")
    nz, nx, ny = spec.shape
    angles = np.deg2rad(physics.forward(spec).steps[0].angles)
    ours = StripProjection((nz, nx, 1), angles.tolist())
    # ASTRA's second axis points up, ours down: its angles run the other way.
    rays = astra.create_proj_geom("parallel", 1.0, nx, -angles)
    grid = astra.create_vol_geom(nz, nx)
    projector = astra.create_projector("strip", rays, grid)
    theirs = astra.OpTomo(projector)
    apart, differences = [], []
    for i in range(len(spec.scenes)):
        x = physics.scene(spec, i)[:, :, ny // 2].astype(np.float32)
        y = ours(x[:, :, None])
        apart.append(relative(y[:, :, 0], theirs.FP(x)))
        noisy = y + np.random.default_rng(i).normal(0, 0.02 * y.max(), y.shape)
        mine = sirt(ours, noisy, relaxation=1.0)[:, :, 0]
        peer = astra_sirt(astra, projector, rays, grid, noisy[:, :, 0], 40)
        differences.append(abs(physics.psnr(x, mine) - physics.psnr(x, peer)))
    astra.projector.delete(projector)
    yield Opinion(spec.key, "Strip projection", max(apart), "relative", 1e-3, "largest of 4 scenes")
    yield Opinion(spec.key, "SIRT, 40 iterations", max(differences), "dB", 0.05, "largest of 4")


def astra_sirt(astra, projector, rays, grid, sinogram, iterations):
    """Run ASTRA's SIRT on the CPU, positive, from zero."""
    data = astra.data2d.create("-sino", rays, np.ascontiguousarray(sinogram, np.float32))
    volume = astra.data2d.create("-vol", grid, 0.0)
    settings = astra.astra_dict("SIRT")
    settings |= {"ProjectorId": projector, "ProjectionDataId": data, "ReconstructionDataId": volume}
    settings["option"] = {"MinConstraint": 0.0}
    algorithm = astra.algorithm.create(settings)
    astra.algorithm.run(algorithm, iterations)
    found = astra.data2d.get(volume)
    astra.algorithm.delete(algorithm)
    astra.data2d.delete([data, volume])
    return found


def denoising_by_tv() -> Iterator[Opinion]:
    """Minimise ½‖x − b‖² + λ·TV(x) here and by scikit-image (Chambolle 2004)."""
    from skimage.restoration import denoise_tv_chambolle

    scene = physics.scene(physics.load("stem"), 0)[64:192, 64:192]
    b = 1 + scene + np.random.default_rng(0).normal(0, 0.1, scene.shape)
    weight = 0.1

    def objective(x):
        return 0.5 * float(((x - b) ** 2).sum()) + weight * total_variation(x)

    ours = objective(Prox(b.shape, 500)(b, weight).astype(float))
    peer = objective(denoise_tv_chambolle(b, weight, eps=0, max_num_iter=5000))
    yield Opinion("stem", "Objective of TV denoising", ours / peer - 1, "relative", 1e-3)


def volumes_by_tv() -> Iterator[Opinion]:
    """Compare the objective that ``cs`` reaches with a long run of an independent algorithm.

    Condat (2013), J. Optim. Theory Appl. 158, 460, on a dense normal matrix: it shares no line with
    FISTA and its proximal step. The volume is small, so that the matrix can be written down.
    """
    from scipy import sparse

    spec = replace(physics.load("electron_tomography"), shape=(8, 40, 3))
    H = physics.forward(spec)
    x_true = np.zeros(spec.shape)
    x_true[2:6, 8:16, 1:] = 0.6
    x_true[3:5, 22:34, :2] = 0.9
    y = noise_of(H).sample(H(x_true), np.random.default_rng(1)).astype(np.float32)
    weight = tv_weight(H, y)
    A = matrix(H)
    D = sparse.vstack([differences(spec.shape, axis) for axis in range(3)]).tocsr()
    data = y.ravel().astype(float)

    def objective(x):
        return 0.5 * float(((A @ x - data) ** 2).sum()) + weight * total_variation(
            x.reshape(spec.shape)
        )

    normal, back = A.T @ A, A.T @ data
    largest = np.linalg.eigvalsh(normal)[-1]
    tau, sigma = 1 / largest, largest / 24  # ‖D‖² ≤ 12
    x, q = np.zeros(A.shape[1]), np.zeros(D.shape[0])
    for _ in range(LONG):
        new = np.maximum(x - tau * (normal @ x - back + D.T @ q), 0)
        q = (q + sigma * (D @ (2 * new - x))).reshape(3, -1)
        q = (q / np.maximum(np.sqrt((q**2).sum(0)) / weight, 1)).ravel()
        x = new
    ours = objective(cs(H, y, lambda phase, fraction: None).ravel().astype(float))
    what = "Objective of compressed sensing"
    against = "Condat’s algorithm, written apart"
    yield Opinion(spec.key, what, ours / objective(x) - 1, "relative", 1e-3, against=against)


def tv_weight(H, y) -> float:
    """Return the weight of the total variation that ``cs`` chooses for ``y``."""
    from modalities.physics.methods import cs as module

    return module.STRENGTH * module.noise_level(H, y)


def matrix(H) -> np.ndarray:
    """Write a small operator as a dense matrix, column by column."""
    columns = np.zeros((int(np.prod(H.out_shape)), int(np.prod(H.in_shape))))
    unit = np.zeros(H.in_shape)
    for i in range(columns.shape[1]):
        unit.flat[i] = 1
        columns[:, i] = H(unit).ravel()
        unit.flat[i] = 0
    return columns


def differences(shape: tuple[int, ...], axis: int):
    """Return the matrix of forward differences along ``axis``, zero across the far border."""
    from scipy import sparse

    parts = [sparse.identity(n) for n in shape]
    n = shape[axis]
    line = sparse.diags_array([-np.ones(n), np.ones(n - 1)], offsets=[0, 1]).tolil()
    line[n - 1, n - 1] = 0
    parts[axis] = line
    product = parts[0]
    for part in parts[1:]:
        product = sparse.kron(product, part)
    return product.tocsr()


def denoising_by_bm3d() -> Iterator[Opinion]:
    """Denoise the first stabilised frame of every scene by both; ours may be the better one."""
    import bm3d as package

    spec = physics.load("stem")
    H = physics.forward(spec)
    losses = []
    for i in range(len(spec.scenes)):
        y, signal = physics.scenarios.measurement(spec, i, "I"), H(physics.scene(spec, i))
        noise = noise_of(H)
        z = stabilised(noise.dose * y[0], noise.read_noise)
        scores = [
            physics.psnr(signal[0], expected_counts(d, noise.read_noise) / noise.dose)
            for d in (bm3d(z, 1.0), package.bm3d(z, 1.0))
        ]
        losses.append(scores[1] - scores[0])
    detail = "the package's mean PSNR over 4 frames, less ours"
    yield Opinion(spec.key, "BM3D of a frame", float(np.mean(losses)), "dB", 0.3, detail)


def probe() -> Iterator[Opinion]:
    """Form the probe of each frame by abTEM, at the nominal and the perturbed angle."""
    import abtem

    spec = physics.load("stem")
    worst = 0.0
    for mismatch in (spec.nominal, spec.perturbed):
        ours = physics.forward(spec, **mismatch).steps[0].probe
        for k, defocus in enumerate(ours.defocus):
            beam = abtem.Probe(
                gpts=spec.shape,
                extent=tuple(n * ours.pixel for n in spec.shape),
                energy=1e3 * ours.voltage,
                semiangle_cutoff=ours.convergence_angle,
                C10=10 * defocus,
                C30=1e4 * ours.c3,
                C50=1e7 * ours.c5,
            )
            built = beam.build((0, 0)).intensity().compute(progress_bar=False)
            theirs = np.fft.fftshift(np.asarray(built.array, float))
            mine = ours.intensity()[k]
            worst = max(worst, float(np.abs(theirs / theirs.sum() - mine).max() / mine.max()))
    yield Opinion(spec.key, "Probe |ψ|²", worst, "of its maximum", 0.01, "largest of 4 probes")


def multislice() -> Iterator[Opinion]:
    """Compare the linear frame of 5 nm of SrTiO₃ with one by multislice; see ``thin_crystal``."""
    crystal = thin_crystal.frames(physics.load("stem"))
    print(thin_crystal.table(crystal))
    linear, real = crystal.ratio("linear"), crystal.ratio("multislice")
    what = "Ti-O over Sr at 5 nm of SrTiO₃"
    detail = f"multislice {real:.3f}, linear {linear:.3f}"
    by = f"multislice by {crystal.about['program']}"
    yield Opinion("stem", what, abs(real / linear - 1), "relative", 0.15, detail, by)
    what = "Frame of 5 nm of SrTiO₃"
    unit, detail = "of the largest signal", "root mean square"
    yield Opinion("stem", what, crystal.apart, unit, 0.1, detail, by)


def measured_series() -> Iterator[Opinion]:
    """Align the measured needle blind, and set etspy's turn of the axis beside ours."""
    from realdata.series import SERIES, recorded, stored_alignment

    series = SERIES["needle"]
    found = tilt_alignment.align(recorded(series), series.angles, series.slices)
    apart = abs(found.rotation.value - stored_alignment(series).rotation)
    limit = round(found.rotation.half_width, 3)
    detail = f"ours {found.rotation.value:.2f}° ± {found.rotation.half_width:.2f}°"
    yield Opinion(series.modality, "Tilt axis of a measured needle", apart, "°", limit, detail)


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


COMPARISONS: dict[str, tuple[str, Compare]] = {
    "astra": ("astra-toolbox", projectors),
    "tv": ("scikit-image", denoising_by_tv),
    "cs": ("scipy", volumes_by_tv),
    "bm3d": ("bm3d", denoising_by_bm3d),
    "probe": ("abtem", probe),
    "multislice": ("numpy", multislice),
    "needle": ("etspy", measured_series),
}
INSTALL = {
    "astra-toolbox": "`pip install astra-toolbox` (its wheel needs CUDA's run-time libraries).",
    "bm3d": "`pip install bm3d`; its licence is non-commercial.",
    "abtem": "`pip install abtem`.",
    "etspy": "`make realdata`, or `pip install --no-deps etspy==1.3.0`.",
}

if __name__ == "__main__":
    main()
