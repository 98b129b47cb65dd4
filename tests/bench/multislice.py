"""SrTiO₃ [001] by multislice with frozen phonons: what a thin crystal really shows.

    python -m tests.bench.multislice    # a few CPU minutes; needs abTEM

Writes ``multislice.json`` beside this file: the HAADF image of one unit cell, per frame of the
catalogue's STEM, for a point source. ``bench_second_opinions`` reads it, so that only a change of
the specimen or of the microscope has to be simulated anew. abTEM is an independent program
(Madsen & Susi 2021, Open Research Europe 1, 24).
"""

# ruff: noqa: T201
from __future__ import annotations

import datetime
import importlib.metadata
import json
import time
from pathlib import Path

import numpy as np

from modalities import physics

FILE = Path(__file__).with_suffix(".json")
CELL = 3.905  # Å
LAYERS = 13  # unit cells along the beam: 5.08 nm
ACROSS = 4  # unit cells across the beam; the probe and what it excites die away within them
GPTS = 384  # 0.041 Å: scattering to 200 mrad survives the limit of 2/3 of the band
DETECTOR = (68.0, 200.0)  # mrad, as the catalogue's set-up says
GRID = 14  # points across the cell: 0.28 Å, finer than 1/(4α/λ)
CONFIGURATIONS = 20
# Root mean square displacements in Å at room temperature: B = 0.62, 0.44 and 0.73 Å²
# (Abramov, Tsirelson, Zavodnik, Ivanov & Brown 1995, Acta Cryst. B51, 942).
DISPLACEMENT = {"Sr": 0.0887, "Ti": 0.0746, "O": 0.0963}


def simulate() -> None:
    """Simulate every frame at the perturbed convergence angle, and write the images."""
    spec = physics.load("stem")
    probe = spec.step("propagate").args
    angle = probe["convergence_angle"] + spec.perturbed["convergence_angle"]
    begun = time.process_time()
    frames = [cell(probe, angle, defocus) for defocus in probe["defocus"]]
    FILE.write_text(
        json.dumps(
            {
                "program": f"abTEM {importlib.metadata.version('abtem')}",
                "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
                "cpu_seconds": round(time.process_time() - begun),
                "voltage": probe["voltage"],
                "convergence_angle": angle,
                "defocus": list(probe["defocus"]),
                "c3": probe["c3"],
                "c5": probe["c5"],
                "cell": CELL,
                "layers": LAYERS,
                "configurations": CONFIGURATIONS,
                "detector": DETECTOR,
                "frames": [np.round(f, 6).tolist() for f in frames],
            },
            indent=1,
        )
        + "\n"
    )
    print(f"Wrote {FILE}.")


def cell(probe: dict, angle: float, defocus: float) -> np.ndarray:
    """Simulate the HAADF image of a cell, [y, x] with Sr at the corner, as a share of the beam.

    Only the eighth of the cell that its symmetry (p4mm) leaves is scanned.
    """
    import abtem
    import ase

    half = GRID // 2
    wedge = [(i, j) for i in range(half + 1) for j in range(i + 1)]
    positions = (np.array(wedge) / GRID + ACROSS // 2) * CELL
    sites = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]
    atoms = ase.Atoms("SrTiO3", scaled_positions=sites, cell=[CELL] * 3, pbc=True)
    phonons = abtem.FrozenPhonons(
        atoms * (ACROSS, ACROSS, LAYERS), CONFIGURATIONS, DISPLACEMENT, seed=7
    )
    potential = abtem.Potential(phonons, gpts=GPTS, slice_thickness=CELL / 2)
    beam = abtem.Probe(
        energy=1e3 * probe["voltage"],
        semiangle_cutoff=angle,
        C10=10 * defocus,
        C30=1e4 * probe["c3"],
        C50=1e7 * probe["c5"],
    )
    detector = abtem.AnnularDetector(*DETECTOR)
    scan = abtem.CustomScan(positions)
    measured = beam.scan(potential, scan=scan, detectors=detector)
    values = measured.compute(scheduler="single-threaded", progress_bar=False)
    return unfolded(wedge, np.asarray(values.array))


def unfolded(wedge: list[tuple[int, int]], values: np.ndarray) -> np.ndarray:
    """Fill the cell from its irreducible eighth."""
    image = np.zeros((GRID, GRID))
    for (i, j), value in zip(wedge, values, strict=True):
        for a, b in ((i, j), (j, i)):
            for y in (a, -a):
                for x in (b, -b):
                    image[y % GRID, x % GRID] = value
    return image


if __name__ == "__main__":
    simulate()
