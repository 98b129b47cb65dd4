"""Start a run, follow it, stop it, and look at what it gave."""

from __future__ import annotations

import mimetypes
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from modalities.jobs import State
from modalities.models import Modality

from . import gallery_page, run_line
from .models import Run
from .permission import may_cancel, may_compute, refusal

HTMX_STOP_POLLING = 286


@require_POST
def compute(request: HttpRequest, key: str) -> HttpResponse:
    """Queue a run of the modality's gallery, and go to its page, where the progress shows."""
    modality = get_object_or_404(Modality.objects.listed(), key=key)
    page = f"{modality.get_absolute_url()}#gallery"
    if not may_compute(request.user):
        return redirect_to_login(page)
    if problem := refusal(modality):
        messages.error(request, problem)
        return redirect(page)
    try:
        with transaction.atomic():
            Run.objects.ask(modality, started_by=request.user if request.user.pk else None)
    except IntegrityError:  # another request was faster and started the one live run
        messages.info(request, "This gallery is already being computed.")
    return redirect(page)


@require_safe
def run(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show one run: what it computed, from what, and its history."""
    found = get_object_or_404(Run.objects.select_related("modality", "started_by"), pk=pk)
    return render(
        request,
        "gallery/run.html",
        {
            "run": run_line.line(found, found.modality.key),
            "gallery": gallery_page.of_run(found),
            "modality": found.modality,
            "events": list(found.events.all()),
            "forecast": run_line.forecast_of(found),
            "may_cancel": may_cancel(request.user, found),
        },
    )


@never_cache
@require_safe
def progress(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return the fragment that a page asks for every two seconds, until the run has ended.

    Status 286 tells htmx to ask no more; after a success the page is loaded again, with pictures.
    """
    found = get_object_or_404(Run.objects.select_related("modality", "started_by"), pk=pk)
    context = {
        "run": run_line.line(found, found.modality.key),
        "forecast": run_line.forecast_of(found),
        "may_cancel": may_cancel(request.user, found),
    }
    status = HTMX_STOP_POLLING if found.has_ended else 200
    response = render(request, "gallery/_progress.html", context, status=status)
    if found.state == State.SUCCEEDED:
        response["HX-Refresh"] = "true"
    return response


@require_POST
def cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Stop a run; a worker that computes it notices within two seconds."""
    found = get_object_or_404(Run, pk=pk)
    if not may_cancel(request.user, found):
        raise PermissionDenied("Only the person who started a run and the staff may cancel it.")
    if not found.cancel(by=request.user.get_username()):
        messages.info(request, "This run has already ended; there is nothing to cancel.")
    return redirect(found)


@require_safe
def file(request: HttpRequest, pk: UUID, name: str) -> FileResponse:
    """Send a picture or the arrays of a run that succeeded; they never change."""
    found = get_object_or_404(Run.objects.succeeded(), pk=pk)
    path = found.path(name)
    if name.startswith(".") or not default_storage.exists(path):
        raise Http404("This run has no such file.")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    response = FileResponse(default_storage.open(path), content_type=kind)
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
