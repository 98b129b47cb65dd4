"""The pages that several apps share: home, one modality, about, and what the API holds."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from leaderboards import program_page, programs, sandbox
from modalities import prose
from modalities.models import Modality
from modalities.physics.scenarios import WORDS

from . import home_page, markup, modality_page, security_log
from .health import check_cache, outcome
from .pagecache import public_page

ABOUT = Path(__file__).with_name("about.md")
GUIDE = Path(__file__).parents[1] / "docs" / "submit-a-program.md"
LONGEST_SEARCH = 80


def version_of_all(**_: Any) -> str:
    """Name the state of all modalities: it changes with any of them."""
    # By hand: on a cached page, building the query would cost more than all the rest.
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*), SUM(version) FROM modalities_modality WHERE is_listed")
        return "{}.{}".format(*cursor.fetchone())


def version_of_modality(key: str) -> str:
    """Name the state of one modality's page; raise Http404 where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT version FROM modalities_modality WHERE "key" = %s AND is_listed', [key]
        )
        row = cursor.fetchone()
    if row is None:
        raise Http404(f"There is no modality “{key}”.")
    return str(row[0])


@public_page(version_of_all, by=("q", "category"))
def home(request: HttpRequest) -> HttpResponse:
    """List the modalities, those that match ``?q=`` and ``?category=``."""
    q = request.GET.get("q", "").strip()[:LONGEST_SEARCH]
    context = home_page.context(q, request.GET.get("category", ""))
    return render(request, "home.html", context)


@public_page(version_of_modality)
def modality(request: HttpRequest, key: str) -> HttpResponse:
    """Show all that is known of one modality."""
    found = Modality.objects.listed().get(key=key)
    return render(request, "modalities/page.html", modality_page.context(found))


@public_page(lambda: "about")
def about(request: HttpRequest) -> HttpResponse:
    """Explain scores, tiers, trust, credits and primitives."""
    return render(request, "about.html", {"nav": "about", "parts": about_parts()})


@lru_cache(maxsize=1)
def about_parts() -> list[dict[str, str]]:
    """Render ``about.md`` once, split at its headings."""
    text = ABOUT.read_text(encoding="utf-8")
    for name, words in (("programs", programs.IN_SHORT), ("scenarios", _scenarios())):
        text = text.replace(f"[[{name}]]", words)
    parts = prose.split(text, ABOUT.name)
    return [part | {"html": markup.fit(part["html"], part["title"])} for part in parts]


@public_page(lambda: "programs")
def programs_guide(request: HttpRequest) -> HttpResponse:
    """Say what a program must do, with an example, and what this site gives it."""
    context = {
        "nav": "",
        "parts": guide_parts(),
        "limits": sandbox.Limits.of_settings().in_words(),
        "packages": program_page.packages(),
    }
    return render(request, "programs.html", context)


@lru_cache(maxsize=1)
def guide_parts() -> list[dict[str, str]]:
    """Render ``docs/submit-a-program.md`` once, split at its headings."""
    parts = prose.split(GUIDE.read_text(encoding="utf-8"), GUIDE.name)
    return [part | {"html": markup.fit(part["html"], part["title"])} for part in parts]


def _scenarios() -> str:
    """Write the scenarios as a table of Markdown."""
    rows = [
        "| Scenario | Measured with | Reconstructed with | What it shows |",
        "|---|---|---|---|",
    ]
    rows += [
        f"| {name} | {w.measured_with} | {w.solved_with} | {w.shows} |" for name, w in WORDS.items()
    ]
    return "\n".join(rows)


@public_page(version_of_all)
def api(request: HttpRequest) -> HttpResponse:
    """Say what the API holds, and link to it."""
    return render(request, "api.html", {"nav": "api", **home_page.api_context()})


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Return the fragment under the header's search field: modalities and methods that match."""
    q = request.GET.get("q", "").strip()[:LONGEST_SEARCH]
    return render(request, "_found.html", {"q": q, **home_page.found(q)})


@never_cache
@require_safe
def corner(request: HttpRequest) -> HttpResponse:
    """Return what belongs to one reader: who they are, their messages, and the token of forms."""
    return render(request, "_corner.html", {"csrf": get_token(request)})


def too_many(request: HttpRequest) -> HttpResponse:
    """Refuse somebody who tried too often, and anybody while nothing counts the tries."""
    is_counted = outcome("cache", check_cache) == "ok"
    if is_counted:
        security_log.failed(request, "too many attempts")
    status = 429 if is_counted else 503
    return render(request, "429.html", {"is_counted": is_counted}, status=status)
