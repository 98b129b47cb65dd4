"""Measure blind calibration: errors, intervals, χ², abstentions, and what it does to images.

    python -m tests.bench.bench_calibration stem --truths 12
    python -m tests.bench.bench_calibration electron_tomography --truths 6 --method cs

Truths are drawn uniformly within the ranges of the tiers in turn, from seeds that are fixed here;
scenes are those of the tier, at home and away. With a method, each sample is reconstructed with
the nominal, the calibrated and the true mismatch (II, IV, III).
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import time

import numpy as np

from modalities import physics

SEED = 2026
GROUPS = ("home", "away", "all")


def main() -> None:
    """Calibrate at each truth, group by group, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modality", nargs="*", default=physics.keys(), help="default: all")
    parser.add_argument("--truths", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="skip the truths before this one")
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=["all"])
    parser.add_argument("--method", default="", help="reconstruct with this method, too")
    asked = parser.parse_args()
    print("errors and standard errors in percent of the range; ∅: abstained, !: outside")
    for key in asked.modality:
        measured(physics.load(key), asked)


def measured(spec: physics.Spec, asked: argparse.Namespace) -> None:
    """Print a row for each truth and group, then their sum."""
    names = [m.name for m in spec.mismatches]
    print(f"\n{spec.key}: {', '.join(names)}")
    rows = []
    for k in range(asked.first, asked.truths):
        for group in asked.groups:
            rows.append(one(spec, k, group, asked.method))
            print(told(names, rows[-1]), flush=True)
    summed_up(names, rows)


def one(spec: physics.Spec, k: int, group: str, method: str) -> dict[str, object]:
    """Calibrate the scenes of ``group`` at truth ``k``."""
    tier = physics.TIERS[k % len(physics.TIERS)]
    ends = {m.name: physics.tier_range(spec, m.name, tier) for m in spec.mismatches}
    rng = np.random.default_rng([SEED, k])
    truth = {name: float(rng.uniform(*e)) for name, e in ends.items()}
    H, samples = physics.forward(spec, **truth), spec.samples(tier)
    which = [i for i, s in enumerate(samples) if group == "all" or s.is_away == (group == "away")]
    xs = [physics.scene(spec, i, 100 + k, tier=tier) for i in which]
    ys = [
        physics.measure(H, x, np.random.default_rng([k, i])).astype(np.float32)
        for i, x in zip(which, xs, strict=True)
    ]
    start = time.process_time()
    found = physics.calibrate(spec, ys, ends)
    seconds = time.process_time() - start
    return {
        "title": f"{k} {tier} {group}",
        "error": {n: (found.values[n] - truth[n]) / np.ptp(e) for n, e in ends.items()},
        "std": {n: found.std[n] / np.ptp(e) for n, e in ends.items()},
        "held": {n: a <= truth[n] <= b for n, (a, b) in found.intervals.items()},
        "abstained": found.abstained,
        "chi2": (found.chi2, found.chi2_expected),
        "seconds": seconds,
        "psnrs": psnrs(spec, method, xs, ys, truth, found.values) if method else [],
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


def told(names: list[str], row: dict) -> str:
    """Write one row."""
    cells = [f"{row['title']:<16}"]
    for n in names:
        mark = "∅" if n in row["abstained"] else " " if row["held"][n] else "!"
        cells.append(f"{100 * row['error'][n]:+7.2f} ± {100 * row['std'][n]:.2f}{mark}")
    cells.append("χ² {:.3f} for {:.3f}".format(*row["chi2"]))
    cells.append(f"{row['seconds']:.0f} s")
    cells += ["/".join(f"{p:.2f}" for p in three) for three in row["psnrs"]]
    return "  ".join(cells)


def summed_up(names: list[str], rows: list[dict]) -> None:
    """Print errors, coverage and abstentions per parameter, and what images gained."""
    for n in names:
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
    print(f"CPU s: {np.mean([r['seconds'] for r in rows]):.1f}")
    if images := [p for r in rows for p in r["psnrs"]]:
        ii, iv, iii = np.array(images).T
        print(
            f"IV − II: least {np.min(iv - ii):+.2f} dB, mean {np.mean(iv - ii):+.2f} dB; "
            f"below −0.05 dB in {np.sum(iv < ii - 0.05)} of {len(ii)}; "
            f"III − II: mean {np.mean(iii - ii):+.2f} dB"
        )


if __name__ == "__main__":
    main()
