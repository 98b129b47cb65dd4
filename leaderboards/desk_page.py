"""What a curator sees of one entry: two runs of each result side by side, and what to do about it.

A curator sees of the dev and hidden tiers what everybody sees; only the difference of two runs is
finer, because it says nothing about the truth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.urls import reverse

from modalities.figures import MISSING, fixed, megabytes, seconds
from modalities.jobs.forecast import forecast

from . import attempt_page, counting, desk, entry_page, flags, tells
from .desk import Pair
from .desk_queue import Filter, neighbours
from .models import Attempt, AttemptEvent, Decision, Entry, Word

FIGURES = (
    ("Score", "score"),
    ("PSNR (dB)", "psnr"),
    ("SSIM", "ssim"),
    ("Consistency", "consistency"),
)
COSTS = (("CPU time", "cpu_seconds", seconds), ("Memory", "peak_memory_mb", megabytes))
MOST_DECISIONS = 100


@dataclass(frozen=True)
class Choice:
    """One decision as the form offers it; key: the letter that picks it."""

    word: str
    label: str
    key: str
    meaning: str


CHOICES = {
    Word.APPROVED: (
        "Approve",
        "a",
        "The result is fine; it leaves the queue until it changes.",
    ),
    Word.RETURNED: ("Return", "b", "Off its board until its owner sends a newer result."),
    Word.CERTIFIED: ("Certify", "c", "The second runs agree; the mark is shown on its board."),
    Word.REVOKED: ("Revoke", "v", "Take the certificate back."),
    Word.DISQUALIFIED: ("Disqualify", "d", "Off its board, until a curator reinstates it."),
    Word.REINSTATED: ("Reinstate", "i", "Back on its board."),
}


@dataclass(frozen=True)
class Row:
    """One line of the comparison of two runs; verdict: equal, different or nothing to compare."""

    label: str
    first: str
    second: str
    verdict: str = ""
    is_hash: bool = False

    @property
    def css(self) -> str:
        return {"equal": "ok", "different": "bad"}.get(self.verdict, "")


@dataclass(frozen=True)
class Side:
    """The evidence of one tier."""

    tier: str
    key: str
    first: Attempt
    second: Attempt | None
    note: str
    agrees: bool
    why: str
    rows: Sequence[Row]
    pictures: Sequence[Mapping[str, str]]
    second_pictures: Sequence[Mapping[str, str]]
    is_open: bool
    log: Sequence[Mapping[str, Any]]


def of(entry: Entry, person: Any, wanted: Filter) -> dict[str, Any]:
    """Gather what templates/leaderboards/desk.html prints."""
    found = desk.pairs(entry)
    events = _events(found)
    results = _results(entry)
    choices = [Choice(word, *CHOICES[word]) for word in desk.possible(entry, found, person)]
    may_rerun = any(not pair.live and pair.disagreement for pair in found)
    queue = neighbours(entry, wanted)
    return {
        "entry": entry,
        "board": entry.get_board_display(),
        "owner": entry.method.owner.get_username() if entry.method.owner else "",
        "is_own": entry.belongs_to(person),
        "flags": flags.of(Entry.objects.filter(pk=entry.pk)).get(entry.pk, []),
        "sides": [_side(entry, pair, events, results) for pair in found],
        "lacks": desk.obstacles(entry, found),
        "may_rerun": may_rerun,
        "choices": choices,
        "keys": list(_keys(choices, may_rerun, queue)),
        "decisions": decisions(entry),
        "progress": progress(found),
        "queue": queue,
        "query": wanted.query(),
        "queue_url": reverse("leaderboards:curate") + wanted.query(),
    }


def _keys(
    choices: Sequence[Choice], may_rerun: bool, queue: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """List the keys that do something on this page."""
    for choice in choices:
        yield choice.key, choice.label.lower()
    if may_rerun:
        yield "r", "re-run"
    if queue.get("after"):
        yield "j", "next"
    if queue.get("before"):
        yield "k", "previous"
    yield "u", "queue"
    yield "Esc", "leave a field"


def progress(found: Sequence[Pair]) -> list[dict[str, Any]]:
    """List the second runs that are on their way, with when they will have ended."""
    return [
        {"tier": pair.tier, "run": pair.live, "forecast": forecast(pair.live, _alike(pair.live))}
        for pair in found
        if pair.live
    ]


def _alike(run: Attempt) -> Any:
    return Attempt.objects.filter(
        modality=run.modality_id, method=run.method_id, tier=run.tier, variant=run.variant
    )


def decisions(entry: Entry) -> list[dict[str, Any]]:
    return [
        {
            "at": decision.at,
            "what": decision.get_word_display(),
            "reason": decision.reason,
            "by": entry_page.who(decision.by, decision.by_id),
        }
        for decision in _newest(entry)
    ]


def _newest(entry: Entry) -> Sequence[Decision]:
    return entry.decisions.newest_first().select_related("by")[:MOST_DECISIONS]


def _results(entry: Entry) -> dict[str, int]:
    """Count the results that were ever sent or run, by tier."""
    scored = entry.attempts.filter(score__isnull=False, repeats__isnull=True).order_by()
    return dict(scored.values_list("tier").annotate(Count("pk")))


def _events(found: Sequence[Pair]) -> dict[Any, list[Any]]:
    """Read what happened to the runs of all pairs, in one query."""
    runs = [run for pair in found for run in (pair.first, pair.second, pair.newest) if run]
    events: dict[Any, list[Any]] = {run.pk: [] for run in runs}
    for event in AttemptEvent.objects.filter(job__in=events):
        events[event.job_id].append(event)
    return events


def _side(
    entry: Entry, pair: Pair, events: Mapping[Any, list[Any]], results: Mapping[str, int]
) -> Side:
    first, second = pair.first, pair.second
    is_different = bool(second and second.outputs_sha256 != first.outputs_sha256)
    return Side(
        tier=pair.tier,
        key=pair.score.tier,
        first=first,
        second=second,
        note=_note(entry, pair, results.get(pair.score.tier, 0)),
        agrees=not pair.disagreement,
        why=_why(pair),
        rows=list(_rows(first, second)),
        pictures=attempt_page.pictures(first),
        second_pictures=attempt_page.pictures(second) if second and is_different else [],
        is_open=tells.is_open(pair.score.tier),
        log=_log(pair, events),
    )


def _note(entry: Entry, pair: Pair, results: int) -> str:
    """Say which of how many results this is."""
    if results < 2:
        return "The only result."
    if pair.score.chosen_id == pair.first.pk:
        return f"One of {results} results, chosen by its owner."
    rule = counting.rule(pair.score.tier, entry.variant)
    return f"One of {results} results: {counting.WORDS[rule]}."


def _why(pair: Pair) -> str:
    """Say how far the two runs agree."""
    if pair.second is None:
        if pair.newest and pair.newest.has_ended:
            return f"The second run failed: {pair.newest.error_message}"
        return "No second run yet."
    if pair.disagreement:
        return pair.disagreement
    if pair.first.outputs_sha256 == pair.second.outputs_sha256:
        return "The two runs agree: they gave the same bytes."
    reason = (
        "the method is not deterministic"
        if pair.first.environment_sha256 == pair.second.environment_sha256
        else "the environments differ"
    )
    return f"The two runs agree in their scores; their bytes differ, and may, because {reason}."


def _rows(first: Attempt, second: Attempt | None) -> Iterator[Row]:
    yield Row("Run", _ran(first), _ran(second) if second else MISSING)
    yield from _figures(first, second)
    yield from _costs(first, second)
    yield from _hashes(first, second)
    yield from _environment(first, second)


def _ran(run: Attempt) -> str:
    by = run.started_by.get_username() if run.started_by else "the site"
    return f"{run.get_kind_display()}, started by {by}, {run.finished_at:%Y-%m-%d %H:%M} UTC"


def _hashes(first: Attempt, second: Attempt | None) -> Iterator[Row]:
    for label, name in entry_page.EVIDENCE:
        ours = getattr(first, name)
        theirs = getattr(second, name) if second else ""
        if not ours:
            yield Row(label, "none ran here", "none ran here" if second else MISSING)
        else:
            verdict = _verdict(ours, theirs) if second else ""
            yield Row(label, ours, theirs or MISSING, verdict, is_hash=True)


def _environment(first: Attempt, second: Attempt | None) -> Iterator[Row]:
    theirs = second.environment if second else {}
    for name, version in first.environment.items():
        verdict = _verdict(version, theirs.get(name, "")) if second else ""
        yield Row(name, version, theirs.get(name, MISSING), verdict)


def _figures(first: Attempt, second: Attempt | None) -> Iterator[Row]:
    ours = tells.to_everybody(first.tier, first.result)
    theirs = tells.to_everybody(second.tier, second.result) if second else {}
    for label, name in FIGURES:
        digits = tells.DIGITS[name]
        verdict = _difference(first, second, name) if second else ""
        yield Row(label, fixed(ours[name], digits), fixed(theirs.get(name), digits), verdict)


def _difference(first: Attempt, second: Attempt, name: str) -> str:
    by = second.result[name] - first.result[name]
    return "equal" if by == 0 else f"{'+' if by > 0 else ''}{fixed(by, 6)}"


def _costs(first: Attempt, second: Attempt | None) -> Iterator[Row]:
    for label, name, write in COSTS:
        ours, theirs = (
            write(tells.rounded(name, getattr(run, name), run.tier)) if run else MISSING
            for run in (first, second)
        )
        yield Row(label, ours, theirs)


def _verdict(first: str, second: str) -> str:
    return "equal" if first == second else "different"


def _log(pair: Pair, events: Mapping[Any, list[Any]]) -> list[dict[str, Any]]:
    """Put the events of all runs of a pair into one log, in the order of time."""
    runs = {pair.first.pk: "counts"}
    for run in (pair.newest, pair.second):
        if run:
            runs[run.pk] = "second"
    lines = [{"run": name, "event": event} for pk, name in runs.items() for event in events[pk]]
    return sorted(lines, key=lambda line: line["event"].pk)
