"""The page *On real data* and its pictures."""

from __future__ import annotations

from uuid import UUID

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from . import page
from .models import Calibration


@require_safe
def real_data(request: HttpRequest) -> HttpResponse:
    """Show measured series: calibrated, not scored."""
    return render(request, "realdata/page.html", {"nav": "real data", **page.context()})


@require_safe
def file(request: HttpRequest, pk: UUID, name: str) -> FileResponse:
    """Send a picture of a calibration that succeeded; it never changes."""
    found = get_object_or_404(Calibration.objects.succeeded(), pk=pk)
    path = found.path(name)
    if path not in found.pictures.values() or not default_storage.exists(path):
        raise Http404("This calibration has no such file.")
    response = FileResponse(default_storage.open(path), content_type="image/webp")
    patch_cache_control(response, public=True, max_age=31536000, immutable=True)
    return response
