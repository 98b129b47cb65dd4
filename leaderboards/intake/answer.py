"""Check the child's answer: it read a hostile file, so that it may be under that file's control.

Types, lengths, names, ranges and finiteness are checked here again, and texts are cut and cleaned.
"""

from __future__ import annotations

import math
from typing import Any, TypeGuard

import numpy as np

from .expectation import LARGEST_VALUE, Expectation

MOST_PROBLEMS = 1000
LONGEST_PROBLEM = 1000  # characters

Interval = tuple[float, float] | None
Intervals = dict[str, Interval]


class Malformed(ValueError):
    """This is no answer that the child's own program gives."""


def problems(found: Any) -> list[str]:
    """Return the sentences of a refusal, each printable and of bounded length."""
    _check(isinstance(found, list) and 0 < len(found) <= MOST_PROBLEMS)
    return [sentence(problem) for problem in found]


def sentence(text: Any) -> str:
    """Return a text as it may be shown: printable, and cut where it is too long."""
    _check(isinstance(text, str))
    return "".join(c if c.isprintable() else "?" for c in text[:LONGEST_PROBLEM])


def arrays(body: bytes, expected: Expectation) -> list[np.ndarray]:
    """Take the reconstructions apart: finite, and no larger than a submission's may be."""
    size, count = expected.bytes_per_sample, math.prod(expected.shape)
    _check(len(body) == size * len(expected.samples))
    taken = [
        np.frombuffer(body, expected.dtype, count, i * size).reshape(expected.shape).copy()
        for i in range(len(expected.samples))
    ]
    # A NaN is not smaller than anything, so this one comparison finds it too. The largest value is
    # checked before it is rounded to single precision, hence a little room.
    _check(all(bool((np.abs(x) <= LARGEST_VALUE * (1 + 1e-6)).all()) for x in taken))
    return taken


def specs(found: Any, expected: Expectation) -> list[dict[str, float]]:
    """Return one corrected spec per sample, each parameter in its range."""
    checked = []
    for spec in _per_sample(found, expected):
        _check(isinstance(spec, dict) and spec.keys() == expected.ranges.keys())
        _check(all(_within(spec[name], *ends) for name, ends in expected.ranges.items()))
        checked.append({name: float(spec[name]) for name in expected.ranges})
    return checked


def intervals(found: Any, expected: Expectation) -> list[Intervals | None]:
    """Return the intervals of each sample, or None for a sample that gives none."""
    checked: list[Intervals | None] = []
    for given in _per_sample(found, expected):
        if given is None:
            checked.append(None)
            continue
        _check(isinstance(given, dict) and given.keys() == expected.ranges.keys())
        checked.append({name: _interval(given[name]) for name in expected.ranges})
    return checked


def _interval(ends: Any) -> Interval:
    if ends is None:
        return None
    _check(isinstance(ends, list) and len(ends) == 2)
    _check(all(_within(end, -LARGEST_VALUE, LARGEST_VALUE) for end in ends))
    _check(ends[0] <= ends[1])
    return float(ends[0]), float(ends[1])


def _per_sample(found: Any, expected: Expectation) -> list[Any]:
    _check(isinstance(found, list) and len(found) == len(expected.samples))
    return list(found)


def _within(value: Any, low: float, high: float) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _check(is_right: bool) -> None:
    if not is_right:
        raise Malformed
