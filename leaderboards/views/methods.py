"""Pages of methods, and the starter programs."""

from __future__ import annotations

from pathlib import Path

from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from leaderboards import boards
from leaderboards.models import Family, Method
from modalities.models import Modality

STARTERS = Path(__file__).resolve().parents[1] / "starters"


@require_safe
def methods(request: HttpRequest) -> HttpResponse:
    """List all methods by their names, those that match ``?q=`` and ``?kind=``."""
    q, kind = request.GET.get("q", "").strip()[:80], request.GET.get("kind", "")
    found = Method.objects.prefetch_related("modalities").order_by("name")
    found = found.annotate(entry_count=Count("entries", distinct=True))
    if q:
        found = found.filter(name__icontains=q)
    if kind in Family.values:
        found = found.filter(family=kind)
    context = {"nav": "methods", "methods": found, "q": q, "kind": kind, "kinds": Family.choices}
    return render(request, "leaderboards/methods.html", context)


@require_safe
def method(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one method: what it is, where its code is, and how it ranks on every board."""
    found = get_object_or_404(Method.objects.select_related("owner"), slug=slug)
    context = {"nav": "methods", "method": found, "standings": boards.of_method(found)}
    return render(request, "leaderboards/method.html", context)


@require_safe
def starter(request: HttpRequest, key: str) -> HttpResponse:
    """Send the program that a competitor starts from."""
    modality = get_object_or_404(Modality.objects.listed(), key=key)
    path = STARTERS / f"{modality.key}.py"
    if not path.exists():
        raise Http404(f"There is no starter program for {modality.name} yet.")
    headers = {"Content-Disposition": f'attachment; filename="pwm-{key}-starter.py"'}
    return HttpResponse(path.read_bytes(), content_type="text/x-python", headers=headers)
