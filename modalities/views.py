"""Send the tiers' data."""

from __future__ import annotations

from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from . import datasets, send_file, tier_downloads
from .models import Dataset, Modality


@require_safe
def data(request: HttpRequest, key: str, tier: str) -> HttpResponse:
    """Send the challenge file of a tier, whole or in part; the hidden one is never sent."""
    modality = get_object_or_404(Modality.objects.listed(), key=key)
    if tier == "hidden":
        raise Http404(tier_downloads.NO_HIDDEN_DATA)
    if tier not in datasets.DOWNLOADABLE:
        raise Http404(f"There is no tier “{tier}”; the tiers are public, dev and hidden.")
    row = Dataset.objects.filter(modality=modality, tier=tier).first()
    if row is None:
        raise Http404(tier_downloads.NOT_BUILT)
    try:
        file = default_storage.open(row.file)
    except FileNotFoundError:
        raise Http404(tier_downloads.NOT_BUILT) from None
    return send_file.response(
        request, file, row.size, row.sha256, tier_downloads.file_name(key, tier)
    )
