"""Compute an attempt: what its kind does, then its evidence, its entry and what counts."""

from __future__ import annotations

from collections.abc import Callable

from leaderboards import counting
from leaderboards.models import QUEUES, Attempt, Kind
from modalities.jobs import HandOver, NotHere
from modalities.jobs.files import Files
from modalities.jobs.usage import measured
from modalities.physics import Report

from . import baselines, evidence, outputs, running, uploads
from .evidence import Result


def compute(attempt: Attempt, report: Report) -> Callable[[], None] | HandOver:
    """Do ``attempt``; return what writes its result in the transaction that ends it.

    A program's first step is to run it, in the queue of those who start programs.
    """
    if attempt.queue == QUEUES[Kind.PROGRAM]:
        return running.run(attempt, report)
    with measured() as usage:
        result = _run(attempt, report)
    fields = evidence.fields_of(attempt, result)
    if attempt.first.kind == Kind.BASELINE:
        fields["peak_memory_mb"] = usage.peak_memory_mb
    with Files(attempt) as files:
        arrays = evidence.packed(result.x_hats)
        fields["arrays"] = files.keep("outputs.npz", arrays)
    return lambda: save(attempt, fields)


def save(attempt: Attempt, fields: dict[str, object]) -> None:
    """Write the evidence once, and let the attempt count if the rule says so."""
    entry = counting.entry_of(attempt)
    Attempt.objects.filter(pk=attempt.pk).update(entry=entry, **fields)
    counting.settle(entry, attempt.tier)


def _run(attempt: Attempt, report: Report) -> Result:
    first, is_again = attempt.first, attempt.kind == Kind.RERUN
    try:
        if first.kind == Kind.FILE:
            return uploads.score(first, attempt, report)
        if first.kind == Kind.PROGRAM:
            return outputs.score(attempt, report)
        return baselines.run(attempt, report, from_nothing=is_again)
    except FileNotFoundError as missing:  # it was there when the job was taken
        raise NotHere(f"The data of the {attempt.tier} tier cannot be read: {missing}.") from None
