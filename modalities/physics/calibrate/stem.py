"""Blind calibration of the STEM: spectra give a start, atomic columns the answer.

Minimising the misfit of a free image fails: any image explains the data best through the smallest
probe. So the object is restricted to columns of the class's width, which have few unknowns; all
scenes share one microscope.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from ..build import Forward, forward
from ..methods.stem_frames import counting_noise, microscope
from ..operator import Array
from ..progress import Part, Report
from ..spec import Spec
from . import Ranges
from .columns import Columns, column_tables, detect, jacobian
from .result import Calibrated, concluded
from .whittle import first_estimate

ITERATIONS = 8
# The fit ends when a step is this small compared with the standard error of every parameter.
CLOSE = 0.1
# Damping of the columns' own equations, relative to their diagonal.
DAMPING = 1e-3
# A step of the microscope's parameters is at most this part of their range.
LARGEST_STEP = 0.35


@dataclass
class Normal:
    """The normal equations of one scene with its columns eliminated: matrix·dθ = rhs.

    ``columns`` (3n, parameters + 1) gives the columns' own step: its last column, less the others
    times dθ.
    """

    matrix: Array
    rhs: Array
    columns: Array


def calibrate(
    spec: Spec, ys: Sequence[Array], ranges: Ranges, seed: int, report: Report
) -> Calibrated:
    """Estimate all mismatches jointly from the frames of all scenes; nothing is drawn at random."""
    names = [m.name for m in spec.mismatches]
    start = first_estimate(spec, ys, ranges, Part(report, 0.0, 0.35))
    theta = np.array([start[name] for name in names])
    width = np.array([ranges[name][1] - ranges[name][0] for name in names])
    scenes = []
    for i, y in enumerate(ys):
        part = Part(report, 0.35 + 0.25 * i / len(ys), 0.35 + 0.25 * (i + 1) / len(ys))
        scenes.append(detect(forward(spec, **dict(zip(names, theta, strict=True))), y, part))
    for i in range(ITERATIONS):
        part = Part(report, 0.6 + 0.4 * i / ITERATIONS, 0.6 + 0.4 * (i + 1) / ITERATIONS)
        equations = _linearised(spec, names, theta, width, ys, scenes, part)
        matrix = np.sum([e.matrix for e in equations], axis=0)
        step = np.linalg.solve(matrix, np.sum([e.rhs for e in equations], axis=0))
        step = np.clip(step, -LARGEST_STEP * width, LARGEST_STEP * width)
        theta = theta + step
        scenes = [
            columns.moved((e.columns[:, -1] - e.columns[:, :-1] @ step).reshape(-1, 3))
            for columns, e in zip(scenes, equations, strict=True)
        ]
        covariance = np.linalg.inv(matrix)
        if np.all(np.abs(step) < CLOSE * np.sqrt(np.diag(covariance))):
            break
    return concluded(names, ranges, spec.nominal, theta, covariance)


def _linearised(
    spec: Spec,
    names: list[str],
    theta: Array,
    width: Array,
    ys: Sequence[Array],
    scenes: list[Columns],
    report: Report,
) -> list[Normal]:
    """Linearise every scene at ``theta``; derivatives by θ are differences of a 25th of a range."""
    H = forward(spec, **dict(zip(names, theta, strict=True)))
    steps = width / 25
    moved = [forward(spec, **dict(zip(names, theta + d, strict=True))) for d in np.diag(steps)]
    tables = column_tables(microscope(H), scenes[0].width)
    equations = []
    for i, (y, columns) in enumerate(zip(ys, scenes, strict=True)):
        report("Fit the columns", i / len(ys))
        equations.append(_normal(H, moved, steps, y, columns, tables))
    return equations


def _normal(
    H: Forward, moved: list[Forward], steps: Array, y: Array, columns: Columns, tables: Array
) -> Normal:
    """Set up one scene's weighted least squares and eliminate its columns."""
    x = columns.render()
    mean = H(x)
    weights = counting_noise(H).variance(np.maximum(mean, 0)) ** -0.5
    residual = ((y - mean) * weights).ravel()
    shared = np.stack(
        [((M(x) - mean) * weights / d).ravel() for M, d in zip(moved, steps, strict=True)], axis=1
    )
    own = jacobian(microscope(H), columns, tables, weights)
    square = sparse.csc_array(own.T @ own)
    diagonal = square.diagonal()
    damping = sparse.diags_array(DAMPING * diagonal + 1e-9 * diagonal.max())
    sides = own.T @ np.column_stack([shared, residual])
    solved = splu(sparse.csc_matrix(square + damping)).solve(sides)
    return Normal(
        matrix=shared.T @ shared - sides[:, :-1].T @ solved[:, :-1],
        rhs=shared.T @ residual - sides[:, :-1].T @ solved[:, -1],
        columns=solved,
    )
