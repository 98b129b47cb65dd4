"""How much a person may send: files that wait, files and bytes a day, and answers of the dev tier.

More answers than these would tell an attacker the dev truth: docs/decisions/what-dev-tells.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from modalities.jobs import LIVE, State
from modalities.models import Modality, TierName

from .words import ENDINGS_OF_PROGRAMS, is_calibrated

# So many of a person's runs may wait at once: each holds up others for minutes.
MOST_RUNS_LIVE = 4
# So many of a person's files may wait at once: their bytes lie on the server meanwhile.
MOST_LIVE = 40
GONE = (State.FAILED, State.CANCELLED)
REFUSED = "refused"  # the code of a file that is not as it has to be
MONTH, DAY = timedelta(days=30), timedelta(days=1)


class Quota(Exception):
    """The submitter may send no more for now; the message says when there is more."""


@dataclass(frozen=True)
class Left:
    """How many more files the dev tier of a modality takes from a person, and from when on.

    The days end at midnight UTC; the month is any 30 days, so that no two months' answers meet at
    its turn. missed: how many were not calibrated, which uses up the month sooner. next_at: when
    the next file can be sent, None for now.
    """

    modality: Modality
    today: int
    month: int
    missed: int
    next_at: datetime | None

    @classmethod
    def after(
        cls, modality: Modality, sent: Sequence[datetime], missed: Sequence[datetime], now: datetime
    ) -> Left:
        """Work it out from the times of what was sent in the last 30 days, and of what missed."""
        a_day, a_month = settings.PWM_DEV_SUBMISSIONS_A_DAY, settings.PWM_DEV_SUBMISSIONS_A_MONTH
        misses = settings.PWM_DEV_UNCALIBRATED_A_MONTH
        midnight = datetime.combine(now.astimezone(UTC), time.min, UTC)
        today = a_day - sum(at >= midnight for at in sent)
        month = a_month - len(sent) if len(missed) < misses else 0
        waits = [midnight + timedelta(days=1)] * (today <= 0)
        for times, most in ((sent, a_month), (missed, misses)):
            waits += [(sorted(times)[-most:] or [now])[0] + MONTH] * (len(times) >= most)
        left = max(0, min(today, month)), max(0, month)
        return cls(modality, *left, len(missed), max(waits, default=None))


def missing_ends_it() -> str:
    """Say after how many files that were not calibrated the dev tier takes no more for a month."""
    most = settings.PWM_DEV_UNCALIBRATED_A_MONTH
    which = "a file that was not" if most == 1 else f"the last of {most} files that were not"
    return f"{which} calibrated ends it for 30 days"


def left(sent: QuerySet[Any], modalities: Sequence[Modality]) -> list[Left]:
    """Say how many files the dev tiers still take from a person who sent these. One query."""
    now = timezone.now()
    recent = sent.exclude(state__in=GONE).filter(tier=TierName.DEV, queued_at__gt=now - MONTH)
    rows = list(recent.order_by().values_list("modality", "queued_at", "result"))
    found = []
    for modality in modalities:
        mine = [(at, result) for pk, at, result in rows if pk == modality.pk]
        missed = [at for at, result in mine if result and not is_calibrated(result)]
        found.append(Left.after(modality, [at for at, _ in mine], missed, now))
    return found


def check_waiting(sent: QuerySet[Any]) -> None:
    """Raise Quota where too many of these files wait already."""
    if sent.filter(state__in=LIVE).count() >= MOST_LIVE:
        raise Quota(
            f"{MOST_LIVE} of your submissions are waiting to be scored; "
            "send this one when some of them are done."
        )


def check_dev(sent: QuerySet[Any], modality: Modality) -> None:
    """Raise Quota where the dev tier of a modality takes no file of a person for now."""
    if sent.filter(state__in=LIVE, tier=TierName.DEV, modality=modality).exists():
        raise Quota(
            "Your last file for the dev tier of this modality is not scored yet. Send the next "
            "one when it is."
        )
    (mine,) = left(sent, [modality])
    if not mine.next_at:
        return
    why = (
        f"{settings.PWM_DEV_SUBMISSIONS_A_DAY} a day, "
        f"{settings.PWM_DEV_SUBMISSIONS_A_MONTH} in 30 days"
    )
    if mine.missed >= settings.PWM_DEV_UNCALIBRATED_A_MONTH:
        why = missing_ends_it()
    raise Quota(
        f"You have used up your submissions to the dev tier of this modality: {why}. "
        f"The next one can be sent from {mine.next_at:%d %B, %H:%M} UTC on; "
        "the public tier has no limit."
    )


def check_day(sent: QuerySet[Any], size: int) -> None:
    """Raise Quota if a file of ``size`` bytes is more than a person may send in 24 hours.

    Refused and cancelled files count: they were received and read. Those that failed because
    of the server do not.
    """
    sent = sent.filter(queued_at__gt=timezone.now() - DAY)
    sent = sent.exclude(Q(state=State.FAILED) & ~Q(error_code=REFUSED))
    day = sent.aggregate(files=Count("pk"), bytes=Coalesce(Sum("size"), 0))
    most = settings.PWM_UPLOADS_A_DAY, settings.PWM_UPLOAD_MB_A_DAY * 10**6
    if day["files"] >= most[0] or day["bytes"] + size > most[1]:
        raise Quota(
            f"In 24 hours a person can send {most[0]} files with {most[1] // 10**6} MB in "
            "all, refused ones included. Send this one tomorrow."
        )


def check_runs(sent: QuerySet[Any], tier: str) -> None:
    """Raise Quota where a person may ask for no more runs of programs on a tier for now.

    Runs that were not made, because of the server or because they were cancelled in time, do not
    count.
    """
    if sent.filter(state__in=LIVE).count() >= MOST_RUNS_LIVE:
        raise Quota(
            f"{MOST_RUNS_LIVE} of your programs are waiting or running; send this one when some of "
            "them are done."
        )
    most = runs_a_day(tier)
    times = list(_made(sent).filter(tier=tier).values_list("queued_at", flat=True))
    if len(times) >= most:
        next_at = (sorted(times)[-most:] or [timezone.now()])[0] + DAY
        raise Quota(
            f"A person can ask for {most} runs on the {tier} tier in 24 hours. "
            f"The next one can be sent from {next_at:%d %B, %H:%M} UTC on."
        )


def runs_a_day(tier: str) -> int:
    """Give how many runs of programs on a tier a person can ask for in 24 hours."""
    if tier == TierName.HIDDEN:
        return int(settings.PWM_HIDDEN_RUNS_A_DAY)
    return int(settings.PWM_TRIAL_RUNS_A_DAY)


def runs_left(sent: QuerySet[Any], tier: str) -> int:
    """Say how many more runs on a tier a person can ask for today. One query."""
    return max(0, runs_a_day(tier) - _made(sent).filter(tier=tier).count())


def _made(sent: QuerySet[Any]) -> QuerySet[Any]:
    """List the runs of the last 24 hours that count."""
    unmade = Q(state=State.FAILED) & ~Q(program__ending__in=ENDINGS_OF_PROGRAMS)
    unmade |= Q(state=State.CANCELLED, started_at__isnull=True)
    return sent.filter(queued_at__gt=timezone.now() - DAY).exclude(unmade)


def check_kept(kept: Mapping[str, int], size: int) -> None:
    """Raise Quota where ``size`` more bytes are more than is kept of a person's programs."""
    most = settings.PWM_PROGRAMS_KEPT, settings.PWM_PROGRAM_MB_KEPT * 10**6
    if kept["programs"] >= most[0] or kept["bytes"] + size > most[1]:
        raise Quota(
            f"{most[0]} programs with {most[1] // 10**6} MB in all are kept of a person. Those of "
            f"trials and of runs without a result go after {settings.PWM_KEEP_PROGRAMS_DAYS} days."
        )
