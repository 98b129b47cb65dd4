"""Real rows for tests: each ``make_*`` gives a valid row of its own; name only what matters."""

from __future__ import annotations

from itertools import count
from typing import Any

from django.contrib.auth.models import User

from leaderboards.models import Board, Checkpoint, Entry, Family, Method, Origin, TierScore, Trust
from modalities import physics
from modalities.models import Modality, TierName

_numbers = count(1)
CATALOGUED = physics.keys()


def make_user(**fields: Any) -> User:
    """A person who can log in with the password ``correct horse``."""
    n = next(_numbers)
    values = {"username": f"person{n}", "email": f"person{n}@example.org"} | fields
    password = values.pop("password", "correct horse")
    return User.objects.create_user(**values, password=password)


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


def make_entry(
    modality: Modality | None = None, method: Method | None = None, **fields: Any
) -> Entry:
    """A measured, scored entry; ``tiers={"public": (score, psnr, ssim)}`` adds tier scores.

    Without ``score`` a challenge entry takes the mean of its three tiers, a standard one the score
    of its benchmark.
    """
    modality = modality or Modality.objects.first() or make_modality()
    method = method or make_method(modality)
    tiers = fields.pop("tiers", {})
    board = fields.setdefault("board", Board.CHALLENGE)
    fields.setdefault("origin", Origin.MEASURED)
    reported = fields["origin"] == Origin.REPORTED
    fields.setdefault("trust", Trust.REPORTED if reported else Trust.SCORED)
    fields.setdefault("source", "Somebody 2024" if reported else "")
    fields.setdefault("name", method.name)
    fields.setdefault("checkpoint", method.checkpoint)
    if "score" not in fields:
        scores = {tier: row[0] for tier, row in tiers.items()}
        fields["score"] = (
            scores.get("standard")
            if board == Board.STANDARD
            else physics.overall_score(*(scores.get(t) for t in physics.TIERS))
        )
    method.modalities.add(modality)
    entry = Entry.objects.create(modality=modality, method=method, **fields)
    for tier, row in tiers.items():
        make_tier_score(entry, tier, *row)
    return entry


def make_tier_score(
    entry: Entry,
    tier: str,
    score: float = 0.5,
    psnr: float = 25.0,
    ssim: float = 0.8,
    **fields: Any,
) -> TierScore:
    """A tier score; a measured one has two scenes, a little below and above it."""
    if entry.origin == Origin.MEASURED:
        fields.setdefault("scenes", [{"score": score - 0.001}, {"score": score + 0.001}])
    return TierScore.objects.create(
        entry=entry, tier=tier, score=score, psnr=psnr, ssim=ssim, **fields
    )
