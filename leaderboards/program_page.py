"""What pages say of programs before they are sent, and of a run to its owner and to curators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode

from django.conf import settings
from django.template.defaultfilters import filesizeformat

from modalities.figures import megabytes, seconds
from modalities.models import TierName

from . import programs, sandbox, tells
from .models import (
    PRICE_OF_A_HIDDEN_RUN,
    Attempt,
    CreditAccount,
    CreditChange,
    Form,
    ProgramRun,
)
from .models.credit import Kind as CreditKind
from .models.quota import runs_a_day, runs_left

OF_A_RUN = "attempt:"  # begins the subject of a line of the ledger that is about a run
# What a run goes through, as ``programs.step`` names it.
STEPS = ("waits for a runner", "runs", "its output waits", "is scored", "has ended")
MOST_LOG = 200_000  # characters of a log that a page shows; the end of it says most


@dataclass(frozen=True)
class Step:
    """One of the steps of a run; where: "past", "now", "ahead", or "left" where it never came."""

    name: str
    where: str


def before_sending(user: Any) -> dict[str, Any]:
    """Give what the form of programs prints beside its fields."""
    account, sent = CreditAccount.objects.of(user), Attempt.objects.of(user).programs()
    kept = ProgramRun.objects.kept_of(user)
    return {
        "blocked": programs.why_blocked(),
        "price": PRICE_OF_A_HIDDEN_RUN,
        "balance": account.balance,
        "held": held(user),
        "can_pay": account.balance >= PRICE_OF_A_HIDDEN_RUN,
        "trials": (runs_left(sent, TierName.PUBLIC), runs_a_day(TierName.PUBLIC)),
        "runs": (runs_left(sent, TierName.HIDDEN), runs_a_day(TierName.HIDDEN)),
        "kept": {
            "programs": kept["programs"],
            "most": settings.PWM_PROGRAMS_KEPT,
            "size": filesizeformat(kept["bytes"]),
            "most_size": filesizeformat(settings.PWM_PROGRAM_MB_KEPT * 10**6),
        },
        "takes_containers": bool(programs.largest(Form.CONTAINER)),
        "sizes": {form.value: filesizeformat(programs.largest(form)) for form in Form},
        "limits": sandbox.Limits.of_settings().in_words(),
        "packages": packages(),
    }


def query(asked: Mapping[str, Any]) -> str:
    """Keep modality and method when somebody goes from one form to the other."""
    kept = {name: asked[name] for name in ("modality", "method") if asked.get(name)}
    return f"?{urlencode(kept)}" if kept else ""


def packages() -> list[tuple[str, str]]:
    """List what a script can import, with versions; empty where this machine cannot tell."""
    try:
        return list(sandbox.packages().items())
    except RuntimeError:  # a package is missing here; runners say so by their guards
        return []


def held(user: Any) -> int:
    """Count the credits that are spent on runs that have not ended."""
    return PRICE_OF_A_HIDDEN_RUN * programs.holds(user).count()


def of_run(attempt: Attempt) -> dict[str, Any]:
    """Give what the page of a run prints beside its result, for its owner."""
    run = attempt.program
    return {
        "run": run,
        "form": run.get_form_display(),
        "is_trial": run.is_trial,
        "step": programs.step(attempt),
        "steps": steps(attempt),
        "reason": attempt.error_message,
        "paid": paid(attempt),
        "costs": costs(attempt),
        "log": shown(programs.log_of(attempt)),
        "events": tells.history(attempt),
    }


def for_curators(attempt: Attempt) -> dict[str, Any]:
    """Give what curators alone may read of a run; all of it was written by a stranger."""
    return {
        "ending": attempt.program.get_ending_display(),
        "detail": attempt.program.detail,
        "problems": attempt.program.problems,
        "log": shown(programs.log_of(attempt, for_curator=True)),
    }


def steps(attempt: Attempt) -> list[Step]:
    """List the steps of a run: which of them is now, and which an ended run left out."""
    now, left = STEPS.index(programs.step(attempt)), _left_out(attempt)
    where = ["left" if i in left else "past" if i < now else "ahead" for i in range(len(STEPS))]
    where[now] = "now"
    return [Step(*step) for step in zip(STEPS, where, strict=True)]


def _left_out(attempt: Attempt) -> range:
    """Give the places of the steps that an ended run never came to."""
    came = set(attempt.events.values_list("event", flat=True)) if attempt.has_ended else set()
    if not came or "handed over" in came:
        return range(0)
    return range(2 if "claimed" in came else 1, len(STEPS) - 1)


def paid(attempt: Attempt) -> str:
    """Say in a sentence what a run cost, from the ledger."""
    if not attempt.price:
        return "A trial run is free." if attempt.is_trial else "A second run is free."
    rows = CreditChange.objects.filter(subject=attempt.subject)
    if any(row.amount > 0 for row in rows):
        return f"{attempt.price} credits were charged and given back: the run cost nothing."
    if attempt.is_live:
        return f"{attempt.price} credits are held for this run."
    return f"{attempt.price} credits were charged: the program ran, whatever came of it."


def figures(attempt: Attempt) -> dict[str, float | None]:
    """Give CPU time (s) and peak memory (MiB) of a run as its tier tells them, scored or not."""
    return {
        name: tells.rounded(name, getattr(attempt.program, name), attempt.tier)
        for name in tells.COST
    }


def costs(attempt: Attempt) -> list[tuple[str, str]]:
    """List the costs of a run in words; of the hidden tier in coarse steps."""
    told, up_to = figures(attempt), "" if tells.is_open(attempt.tier) else "up to "
    words = (
        ("CPU time", told["cpu_seconds"], seconds),
        ("Memory at its peak", told["peak_memory_mb"], megabytes),
    )
    return [(label, up_to + write(value)) for label, value, write in words if value is not None]


def shown(log: str | None) -> str | None:
    """Cut a log to what a page can show, and say so."""
    if log is None or len(log) <= MOST_LOG:
        return log
    return f"… {len(log) - MOST_LOG} characters before this are left out here …\n{log[-MOST_LOG:]}"


def ledger(rows: Sequence[CreditChange]) -> list[dict[str, Any]]:
    """Give the lines of the ledger, each with the run that it is about. One query."""
    runs = [row.subject.removeprefix(OF_A_RUN) for row in rows if row.subject.startswith(OF_A_RUN)]
    by_subject = {attempt.subject: attempt for attempt in Attempt.objects.filter(pk__in=runs)}
    return [
        {
            "row": row,
            "at": noted_at(row),
            "amount": f"{row.amount:+d}".replace("-", "−"),
            "run": by_subject.get(row.subject),
        }
        for row in rows
    ]


def noted_at(row: CreditChange) -> datetime:
    """Give the time of a line; of a refund to ten minutes, because then a hidden run ended."""
    is_end = row.kind == CreditKind.REFUND
    return cast(datetime, tells.moment(TierName.HIDDEN, row.at) if is_end else row.at)
