"""Pages of entries: one row of a board, and the evidence behind it."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from leaderboards import bundle, entry_page, signing
from leaderboards.models import Entry, Origin


@require_safe
def entry(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show one entry: its scores, the attempts behind them, and who decided what about it."""
    related = ("modality", "method", "decision__by")
    found = get_object_or_404(Entry.objects.select_related(*related), pk=pk)
    return render(request, "leaderboards/entry.html", {"nav": "", **entry_page.of(found)})


@require_safe
def evidence(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send the bundle of an entry: its evidence, which ``verify_bundle`` checks.

    Answer 503 while a worker, which has the key, signs what is new in it.
    """
    found = get_object_or_404(Entry.objects.select_related("modality", "method"), pk=pk)
    if found.origin != Origin.MEASURED:
        raise Http404("This entry was reported by a source; it has no run to download.")
    headers = {"Content-Disposition": f'attachment; filename="pwm-entry-{found.pk}.zip"'}
    try:
        content = bundle.write(found)
    except signing.NoSigningKey:
        bundle.ask_to_sign(found)
        return HttpResponse(
            "This evidence is new and is being signed. Ask for it again in a few seconds.\n",
            content_type="text/plain; charset=utf-8",
            status=503,
            headers={"Retry-After": str(bundle.RETRY_AFTER)},
        )
    return HttpResponse(content, content_type="application/zip", headers=headers)


@require_safe
def keys(request: HttpRequest) -> HttpResponse:
    """List the public keys that the site's bundles are checked with."""
    return JsonResponse(signing.as_json(), json_dumps_params={"indent": 1})
