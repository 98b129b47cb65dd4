"""Pages of entries: one row of a board, and the evidence behind it."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from leaderboards import bundle, entry_page
from leaderboards.models import Entry, Origin


@require_safe
def entry(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show one entry: its scores, the attempts behind them, and who decided what about it."""
    related = ("modality", "method", "decision__by")
    found = get_object_or_404(Entry.objects.select_related(*related), pk=pk)
    return render(request, "leaderboards/entry.html", {"nav": "", **entry_page.of(found)})


@require_safe
def evidence(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send the bundle of an entry: its evidence, which ``verify_bundle`` checks."""
    found = get_object_or_404(Entry.objects.select_related("modality", "method"), pk=pk)
    if found.origin != Origin.MEASURED:
        raise Http404("This entry was reported by a source; it has no run to download.")
    headers = {"Content-Disposition": f'attachment; filename="pwm-entry-{found.pk}.zip"'}
    return HttpResponse(bundle.write(found), content_type="application/zip", headers=headers)
