"""Real rows for tests: each ``make_*`` gives a valid row of its own; name only what matters."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from leaderboards import counting, ranking
from leaderboards.models import (
    UPLOAD_TIERS,
    Attempt,
    Board,
    Checkpoint,
    Entry,
    Family,
    Kind,
    Method,
    Origin,
    TierScore,
    Trust,
    Variant,
    tiers_of,
)
from modalities import physics
from modalities.jobs import State
from modalities.models import Modality, TierName
from pwmsite.models import Worker

_numbers = count(1)
CATALOGUED = physics.keys()


def make_user(**fields: Any) -> User:
    """A person who can log in with the password ``correct horse``."""
    n = next(_numbers)
    values = {"username": f"person{n}", "email": f"person{n}@example.org"} | fields
    password = values.pop("password", "correct horse")
    return User.objects.create_user(**values, password=password)


def make_worker(seen_ago: timedelta = timedelta(), **fields: Any) -> Worker:
    """A worker of all queues, as it reported itself ``seen_ago``."""
    now = timezone.now()
    values = {
        "name": "pwm@here",
        "processes": 2,
        "queues": list(settings.PWM_QUEUES),
        "started_at": now,
        "seen_at": now - seen_ago,
    }
    return Worker.objects.create(**values | fields)


def make_modality(key: str = "stem", **fields: Any) -> Modality:
    """The modality ``key``; its physics is the catalogue's, if that has it."""
    values: dict[str, Any] = {
        "name": key.replace("_", " ").title(),
        "short_name": key[:24],
        "category": "Electron microscopy",
        "task": "Recover the object from its measurement.",
        "revision": "0" * 64,
    }
    values["tiers"] = [
        {
            "name": name,
            "title": title,
            "summary": "In short.",
            "get": "What you get.",
            "use": "How to use it.",
            "submit": "What to submit.",
        }
        for name, title in TierName.choices
    ]
    return Modality.objects.create(key=key, **(values | fields))


def make_method(*modalities: Modality, **fields: Any) -> Method:
    """A classical method that needs no checkpoint."""
    n = next(_numbers)
    values = {
        "slug": f"method-{n}",
        "name": f"Method {n}",
        "family": Family.CLASSICAL,
        "description": "It reconstructs.",
        "checkpoint": Checkpoint.NOT_NEEDED,
    }
    method = Method.objects.create(**(values | fields))
    method.modalities.set(modalities)
    return method


def make_attempt(
    modality: Modality | None = None,
    method: Method | None = None,
    tier: str = "public",
    figures: tuple[float, ...] = (0.5, 25.0, 0.8),
    **fields: Any,
) -> Attempt:
    """A file that was scored, or another kind of attempt that succeeded; it counts by the rule.

    figures: score, psnr, ssim and perhaps consistency; two scenes lie a little below and above.
    """
    modality = modality or Modality.objects.first() or make_modality()
    method = method or make_method(modality)
    kind = fields.setdefault("kind", Kind.FILE if tier in UPLOAD_TIERS else Kind.BASELINE)
    values = _scored(kind, figures) | {"started_by": method.owner} | fields
    with transaction.atomic():
        attempt = Attempt(modality=modality, method=method, tier=tier, **values)
        method.modalities.add(modality)
        attempt.entry = counting.entry_of(attempt)
        attempt.save(force_insert=True)
        for event in ("queued", "claimed", "succeeded"):
            attempt.events.create(event=event, token=int(event != "queued"))
        counting.settle(attempt.entry, tier)
    return attempt


def _scored(kind: str, figures: tuple[float, ...]) -> dict[str, Any]:
    """Give the fields of an attempt that ended with ``figures``."""
    n = next(_numbers)
    return {
        "state": State.SUCCEEDED,
        "token": 1,
        "tries": 1,
        "percent": 100,
        "worker": "here:1",
        "queue": "scoring",
        "started_at": timezone.now(),
        "finished_at": timezone.now(),
        "sha256": f"{n:064x}",
        "inputs": f"{n:064x}",
        "score": figures[0],
        "result": make_result(*figures),
        "metrics_version": physics.METRICS_VERSION,
        "data_version": "1-test",
        "inputs_sha256": "1" * 64,
        "program_sha256": "" if kind == Kind.FILE else "2" * 64,
        "outputs_sha256": "3" * 64,
        "environment_sha256": "4" * 64,
    }


def make_result(score: float, psnr: float, ssim: float, consistency: float = 0.9) -> dict[str, Any]:
    """What the scorer writes, with a scene at home and one away."""
    parts = {"psnr": psnr, "ssim": ssim, "consistency": consistency, "ceiling": 0.95}
    scenes = [
        parts | {"score": score + d, "spec_error": {}, "group": group}
        for group, d in (("home", 0.001), ("away", -0.001))
    ]
    return parts | {
        "score": score,
        "score_home": score + 0.001,
        "score_away": score - 0.001,
        "score_low": score - 0.0127,
        "score_high": score + 0.0127,
        "spec_error": {},
        "scenes": scenes,
        "metrics_version": physics.METRICS_VERSION,
    }


def make_entry(
    modality: Modality | None = None, method: Method | None = None, **fields: Any
) -> Entry:
    """An entry; ``tiers={"public": (score, psnr, ssim)}`` adds results, which are ranked.

    A measured one's tiers are attempts that succeeded: files, unless another ``kind`` is given.
    """
    modality = modality or Modality.objects.first() or make_modality()
    method = method or make_method(modality)
    tiers, kind = fields.pop("tiers", {}), fields.pop("kind", None)
    fields.setdefault("board", Board.CHALLENGE)
    origin = fields.setdefault("origin", Origin.MEASURED)
    method.modalities.add(modality)
    if origin == Origin.REPORTED:
        return _make_reported(modality, method, tiers, **fields)
    fields.setdefault("trust", Trust.SCORED)
    entry = Entry.objects.create(modality=modality, method=method, **fields)
    for tier, row in tiers.items():
        own = entry.variant == Variant.OWN and tier in UPLOAD_TIERS
        how = kind or (Kind.FILE if own else Kind.BASELINE)
        make_attempt(modality, method, tier, row, kind=how, variant=entry.variant)
    ranking.rank_what_waits()
    entry.refresh_from_db()
    return entry


def make_entries(
    modality: Modality,
    count: int,
    board: str = Board.CHALLENGE,
    origin: str = Origin.MEASURED,
) -> list[Entry]:
    """Write ``count`` complete entries at once, each of a method of its own, in few queries.

    Their scores fall from 0.9 to 0.3; ranks are as nobody has asked for them yet.
    """
    methods = Method.objects.bulk_create(
        Method(
            slug=f"many-{n}",
            name=f"Many {n}",
            family=Family.CLASSICAL,
            description="It reconstructs.",
            checkpoint=Checkpoint.NOT_NEEDED,
        )
        for n in (next(_numbers) for _ in range(count))
    )
    registered = Method.modalities.through
    registered.objects.bulk_create(
        registered(method=method, modality=modality) for method in methods
    )
    is_reported = origin == Origin.REPORTED
    entries = Entry.objects.bulk_create(
        Entry(
            modality=modality,
            method=method,
            board=board,
            origin=origin,
            trust=Trust.REPORTED if is_reported else Trust.RERUN,
            source="Somebody 2024" if is_reported else "",
            score=round(0.9 - 0.6 * i / count, 3),
        )
        for i, method in enumerate(methods)
    )
    results = [(entry, tier) for entry in entries for tier in tiers_of(board)]
    attempts: list[Attempt | None] = [None] * len(results)
    if not is_reported:
        attempts = Attempt.objects.bulk_create(
            Attempt(
                modality=modality,
                method=entry.method,
                entry=entry,
                tier=tier,
                kind=Kind.BASELINE,
                **_scored(Kind.BASELINE, (entry.score, 25.0, 0.8)),
            )
            for entry, tier in results
        )
    TierScore.objects.bulk_create(
        TierScore(entry=entry, tier=tier, attempt=attempt, score=entry.score, psnr=25.0, ssim=0.8)
        for (entry, tier), attempt in zip(results, attempts, strict=True)
    )
    return entries


def _make_reported(
    modality: Modality, method: Method, tiers: dict[str, tuple[float, ...]], **fields: Any
) -> Entry:
    fields = {"trust": Trust.REPORTED, "source": "Somebody 2024"} | fields
    scores = {tier: row[0] for tier, row in tiers.items()}
    standard = fields["board"] == Board.STANDARD
    fields.setdefault(
        "score",
        scores.get("standard")
        if standard
        else physics.overall_score(*(scores.get(t) for t in physics.TIERS)),
    )
    entry = Entry.objects.create(modality=modality, method=method, **fields)
    for tier, (score, psnr, ssim) in tiers.items():
        TierScore.objects.create(entry=entry, tier=tier, score=score, psnr=psnr, ssim=ssim)
    return entry
