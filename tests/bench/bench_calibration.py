"""Measure blind calibration: errors, intervals, χ², abstentions, and what it does to images.

    python -m tests.bench.bench_calibration stem --truths 12 --groups home away all
    python -m tests.bench.bench_calibration electron_tomography --truths 6 --method sirt
    python -m tests.bench.bench_calibration stem --truths 12 --method richardson_lucy_sieve
    python -m tests.bench.bench_calibration stem --truths 4 --background 0.05
    python -m tests.bench.bench_calibration electron_tomography --corners --start 0

Truths are drawn uniformly within the ranges of the tiers in turn, from seeds that are fixed here,
or lie at the ends of the ranges (``--corners``); scenes are those of the tier, at home and away.
With a method, each sample is reconstructed with the nominal, the calibrated and the true mismatch
(II, IV, III). Images at home and away are summed up apart, also where all scenes of the tier were
calibrated together, as for the blind row of a board (the group ``all``). ``--save`` appends the
rows to a file, so that several processes can share the work; ``--sum`` prints what files hold and
measures nothing.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from modalities import physics
from modalities.physics.calibrate import variable_projection

SEED = 2026
GROUPS = (*physics.GROUPS, "all")
# Where an end of a range is meant, the truth lies this part of the range inside.
MARGIN = 0.03

Row = dict[str, Any]


def main() -> None:
    """Calibrate at each truth, group by group, and sum up."""
    asked = arguments()
    print("errors and standard errors in percent of the range; ∅: abstained, !: outside")
    variable_projection.START = asked.start
    for key in asked.modality:
        spec = physics.load(key)
        rows = [] if asked.sum else measured(spec, asked)
        rows += [r for path in asked.sum or [] for r in saved(path) if r["modality"] == key]
        for group in GROUPS:
            summed_up(spec, group, [r for r in rows if r["group"] == group])


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modality", nargs="*", default=physics.keys(), help="default: all")
    parser.add_argument("--truths", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="skip the truths before this one")
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=["all"])
    parser.add_argument("--method", default="", help="reconstruct with this method, too")
    parser.add_argument("--corners", action="store_true", help="truths at the ends of the ranges")
    parser.add_argument("--start", type=float, default=variable_projection.START, help="in ranges")
    parser.add_argument("--background", type=float, default=0.0, help="unmodelled, over the mean")
    parser.add_argument("--save", type=Path, help="append the rows to this file")
    parser.add_argument("--sum", type=Path, nargs="+", help="sum up these files only")
    return parser.parse_args()


def measured(spec: physics.Spec, asked: argparse.Namespace) -> list[Row]:
    """Print and save a row for each truth and group."""
    names = [m.name for m in spec.mismatches]
    print(f"\n{spec.key}: {', '.join(names)}", flush=True)
    rows = []
    for k in range(asked.first, asked.truths):
        tier = physics.TIERS[k % len(physics.TIERS)]
        ends = {n: physics.tier_range(spec, n, tier) for n in names}
        truth = corner(ends, k) if asked.corners else drawn(ends, k)
        for group in asked.groups:
            rows.append(one(spec, k, tier, group, ends, truth, asked))
            print(told(names, rows[-1]), flush=True)
            if asked.save:
                with asked.save.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    return rows


def drawn(ends: Mapping[str, tuple[float, float]], k: int) -> dict[str, float]:
    """Draw truth ``k`` inside its ranges."""
    rng = np.random.default_rng([SEED, k])
    return {name: float(rng.uniform(*e)) for name, e in ends.items()}


def corner(ends: Mapping[str, tuple[float, float]], k: int) -> dict[str, float]:
    """Take one end of each range: corner ``k`` of all, again and again."""
    sides = list(product((MARGIN, 1 - MARGIN), repeat=len(ends)))
    return {
        name: low + share * (high - low)
        for (name, (low, high)), share in zip(ends.items(), sides[k % len(sides)], strict=True)
    }


def one(
    spec: physics.Spec,
    k: int,
    tier: str,
    group: str,
    ends: Mapping[str, tuple[float, float]],
    truth: dict[str, float],
    asked: argparse.Namespace,
) -> Row:
    """Calibrate the scenes of ``group`` at ``truth``."""
    H, samples = physics.forward(spec, **truth), spec.samples(tier)
    which = [i for i, s in enumerate(samples) if group in ("all", s.group)]
    xs = [physics.scene(spec, i, 100 + k, tier=tier) for i in which]
    ys = [
        physics.measure(H, x, np.random.default_rng([k, i])).astype(np.float32)
        for i, x in zip(which, xs, strict=True)
    ]
    ys = [y + np.float32(asked.background * y.mean()) for y in ys]
    start = time.process_time()
    found = physics.calibrate(spec, ys, ends)
    seconds = time.process_time() - start
    images = psnrs(spec, asked.method, xs, ys, truth, found.values) if asked.method else []
    return {
        "modality": spec.key,
        "title": f"{k} {tier} {group}",
        "group": group,
        "error": {n: (found.values[n] - truth[n]) / np.ptp(e) for n, e in ends.items()},
        "std": {n: found.std[n] / np.ptp(e) for n, e in ends.items()},
        "held": {n: a <= truth[n] <= b for n, (a, b) in found.intervals.items()},
        "abstained": found.abstained,
        "chi2": (found.chi2, found.chi2_expected),
        "seconds": seconds,
        "psnrs": [[samples[i].group, *three] for i, three in zip(which, images, strict=False)],
    }


def psnrs(
    spec: physics.Spec,
    method: str,
    xs: list[np.ndarray],
    ys: list[np.ndarray],
    truth: dict[str, float],
    found: dict[str, float],
) -> list[list[float]]:
    """Give PSNR in II, IV and III for each scene."""
    operators = [physics.forward(spec, **values) for values in (spec.nominal, found, truth)]
    return [
        [physics.psnr(x, physics.reconstruct(method, H, y)) for H in operators]
        for x, y in zip(xs, ys, strict=True)
    ]


def saved(path: Path) -> list[Row]:
    """Read the rows that ``--save`` wrote."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def told(names: list[str], row: Row) -> str:
    """Write one row."""
    cells = [f"{row['title']:<16}"]
    for n in names:
        mark = "∅" if n in row["abstained"] else " " if row["held"][n] else "!"
        cells.append(f"{100 * row['error'][n]:+7.2f} ± {100 * row['std'][n]:.2f}{mark}")
    cells.append("χ² {:.3f} for {:.3f}".format(*row["chi2"]))
    cells.append(f"{row['seconds']:.0f} s")
    cells += ["/".join(f"{p:.2f}" for p in three) for _, *three in row["psnrs"]]
    return "  ".join(cells)


def summed_up(spec: physics.Spec, group: str, rows: list[Row]) -> None:
    """Print errors, coverage and abstentions per parameter, and what images gained."""
    if not rows:
        return
    print(f"\n{spec.key}, {group}: {len(rows)} truths")
    for n in (m.name for m in spec.mismatches):
        found = [r for r in rows if n not in r["abstained"]]
        line = f"{n}: abstained in {len(rows) - len(found)} of {len(rows)}"
        if found:
            errors = np.array([r["error"][n] for r in found])
            held = sum(r["held"][n] for r in found)
            z = errors / [r["std"][n] for r in found]
            line += (
                f"; rms error {100 * np.sqrt(np.mean(errors**2)):.2f} %, largest "
                f"{100 * np.abs(errors).max():.2f} %; intervals hold the truth in {held} of "
                f"{len(found)}; rms of error over standard error {np.sqrt(np.mean(z**2)):.2f}"
            )
        print(line)
    seconds = [r["seconds"] for r in rows]
    print(f"CPU s: {np.mean(seconds):.1f}, {min(seconds):.1f} to {max(seconds):.1f}")
    for where in physics.GROUPS:
        if images := [p[1:] for r in rows for p in r["psnrs"] if p[0] == where]:
            ii, iv, iii = np.array(images).T
            print(
                f"images {where}: IV − II least {np.min(iv - ii):+.2f} dB, mean "
                f"{np.mean(iv - ii):+.2f} dB; below −0.05 dB in {np.sum(iv < ii - 0.05)} of "
                f"{len(ii)}; III − II mean {np.mean(iii - ii):+.2f} dB; ρ of the means "
                f"{np.mean(iv - ii) / np.mean(iii - ii):.3f}"
            )


if __name__ == "__main__":
    main()
