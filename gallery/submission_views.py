"""Pictures of a submission, drawn on request, for its owner only."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from leaderboards import tells
from leaderboards.models import Attempt
from modalities import datasets

from .images import error_picture, object_picture

KINDS = ("reconstruction", "truth", "error")


@login_required
@require_safe
def picture(request: HttpRequest, pk: UUID, sample: int, kind: str) -> HttpResponse:
    """Draw one sample of a submission; truth and error on the public tier only."""
    mine = Attempt.objects.of(request.user).succeeded().select_related("modality")
    found = get_object_or_404(mine, pk=pk)
    spec = found.modality.spec
    is_open = tells.is_open(found.tier)
    if kind not in KINDS or (kind != "reconstruction" and not is_open):
        raise Http404("Nobody can see the truth of this tier.")
    if sample >= len(spec.scenes):
        raise Http404(f"There are {len(spec.scenes)} samples, counted from 0.")
    drawn = _draw(found, sample, kind)
    headers = {"Cache-Control": "private, max-age=3600"}
    return HttpResponse(drawn, content_type="image/webp", headers=headers)


def _draw(found: Attempt, sample: int, kind: str) -> bytes:
    spec = found.modality.spec
    name = datasets.sample_names(spec)[sample]
    if kind == "reconstruction":
        return object_picture(found.reconstructions()[name])
    x = datasets.load_public_truth(spec, sample)
    return object_picture(x) if kind == "truth" else error_picture(x, found.reconstructions()[name])
