"""The home page: cards of modalities, with live pictures, and the search over them."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from gallery import thumbnails
from leaderboards import boards, boards_page
from leaderboards.models import Method
from modalities.models import Modality, ModalityQuerySet

MOST_METHODS = 12


def context(q: str, category: str) -> dict[str, Any]:
    """Gather what templates/home.html prints for a search and a category."""
    everything = list(boards.with_leaders(_modalities()))
    matching = [m for m in everything if matches(m, q)]
    shown = [m for m in matching if not category or m.category == category]
    pictures = thumbnails.of(shown)
    return {
        "nav": "modalities",
        "q": q,
        "category": category,
        "categories": _categories(matching, q, category),
        "found": _found_text(len(shown), len(everything)),
        "cards": [_card(m, boards_page.leader_on(m), pictures.get(m.pk)) for m in shown],
        "methods": _methods(q) if q else [],
    }


def _modalities() -> ModalityQuerySet:
    """Read names, not the long texts of the pages."""
    return Modality.objects.listed().defer("facts", "sections")


def matches(modality: Modality, q: str) -> bool:
    """Say whether every word of ``q`` begins a word of the modality's names, task or unknowns."""
    unknowns = [f"{m.name} {m.name.replace('_', ' ')}" for m in modality.spec.mismatches]
    names = [modality.key, modality.name, modality.short_name, modality.category, modality.task]
    words = re.findall(r"[\w-]+", " ".join([*names, *modality.aliases, *unknowns]).casefold())
    return all(any(w.startswith(asked) for w in words) for asked in q.casefold().split())


def found(q: str) -> dict[str, Any]:
    """Return the modalities and methods whose names match, a few of each."""
    if not q:
        return {"modalities": [], "methods": []}
    return {
        "modalities": [
            {"name": m.name, "category": m.category, "url": m.get_absolute_url()}
            for m in _modalities()
            if matches(m, q)
        ][:6],
        "methods": _methods(q)[:6],
    }


def api_context() -> dict[str, Any]:
    """Describe the API by addresses that work."""
    key = Modality.objects.listed().values_list("key", flat=True).first() or "stem"
    rows = (
        ("/api/v1/", "what there is, with links"),
        ("/api/v1/modalities/", "all modalities"),
        (f"/api/v1/modalities/{key}/", "one of them: physics, unknowns, tiers and their ranges"),
        (f"/api/v1/modalities/{key}/boards/", "its boards, with their leaders and addresses"),
        (
            f"/api/v1/modalities/{key}/boards/challenge/?origin=reported&format=csv",
            "one board as CSV; also json, tex and bib",
        ),
        (f"/api/v1/modalities/{key}/calibration/", "how near each spec comes to the truth"),
        (f"/api/v1/modalities/{key}/spec-curves/", "what a wrong spec does to each method's score"),
        ("/api/v1/methods/", "methods, who wrote them, whether their checkpoint is available"),
        ("/api/v1/runs/", "gallery runs, with every scene's scores and pictures"),
        ("/api/v1/bundle-keys/", "the public keys that bundles of evidence are checked with"),
        ("/api/v1/schema/", "the OpenAPI description of all of it"),
    )
    return {
        "endpoints": [{"url": url, "holds": holds} for url, holds in rows],
        "example": f"curl -s http://127.0.0.1:8000/api/v1/modalities/{key}/",
    }


def _methods(q: str) -> list[dict[str, str]]:
    rows = Method.objects.filter(name__icontains=q).order_by("name")[:MOST_METHODS]
    return [{"name": m.name, "url": m.get_absolute_url()} for m in rows]


def _categories(modalities: list[Modality], q: str, chosen: str) -> list[dict[str, Any]]:
    counts = Counter(m.category for m in modalities)
    rows = [("", "All", len(modalities))] + [(c, c, n) for c, n in sorted(counts.items())]
    return [
        {"name": name, "count": count, "current": value == chosen, "url": _url(q, value)}
        for value, name, count in rows
    ]


def _url(q: str, category: str) -> str:
    asked = {name: value for name, value in (("q", q), ("category", category)) if value}
    return reverse("home") + (f"?{urlencode(asked)}" if asked else "")


def _found_text(shown: int, everything: int) -> str:
    if shown == everything:
        return f"{everything} modalities"
    return f"{shown} of {everything} modalities"


def _card(
    modality: Modality, leader: boards_page.Leader, pictures: thumbnails.Thumbnails | None
) -> dict[str, Any]:
    pictures = pictures or thumbnails.Thumbnails()
    return {
        "name": modality.name,
        "url": modality.get_absolute_url(),
        "category": modality.category,
        "task": modality.task,
        "pictures": pictures.labelled(),
        "leader_label": f"Leader, blind challenge{leader.mark}",
        "leader": leader.name,
        "leader_score": leader.score_text,
        "cost": pictures.cost or "not computed yet",
        "cost_detail": pictures.cost_detail,
    }
