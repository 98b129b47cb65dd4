"""Pictures of what an attempt gave, drawn when they are looked at: for its owner and curators."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from leaderboards import expected, tells
from leaderboards.curators import is_curating
from leaderboards.models import Attempt, ScoreTier
from modalities import datasets, physics

from .images import Array, error_picture, object_picture

KINDS = ("reconstruction", "truth", "error")
NOT_KEPT = "The arrays of this attempt are not kept any more."


@login_required
@require_safe
def picture(request: HttpRequest, pk: UUID, sample: int, kind: str) -> HttpResponse:
    """Draw one sample of one's own attempt, or of any for curators; truth on open tiers only.

    Those of a hidden run are for curators alone: a program could have drawn the measurements.
    """
    mine = Attempt.objects.of(request.user).exclude(tier=ScoreTier.HIDDEN)
    if is_curating(request):
        mine = Attempt.objects.all()
    found = get_object_or_404(mine.succeeded().select_related("modality"), pk=pk)
    spec = found.modality.spec
    is_open = tells.is_open(found.tier)
    if kind not in KINDS or (kind != "reconstruction" and not is_open):
        raise Http404("Nobody can see the truth of this tier.")
    count = len(expected.scenes(spec, found.tier))
    if sample >= count:
        raise Http404(f"There are {count} samples, counted from 0.")
    if not found.arrays:
        raise Http404(NOT_KEPT)
    try:
        drawn = _draw(found, sample, kind)
    except FileNotFoundError:
        raise Http404(NOT_KEPT) from None
    headers = {"Cache-Control": "private, max-age=3600"}
    return HttpResponse(drawn, content_type="image/webp", headers=headers)


def _draw(found: Attempt, sample: int, kind: str) -> bytes:
    name = datasets.sample_name(sample)
    if kind == "reconstruction":
        return object_picture(found.reconstructions()[name])
    x = _truth(found, sample)
    return object_picture(x) if kind == "truth" else error_picture(x, found.reconstructions()[name])


def _truth(found: Attempt, sample: int) -> Array:
    """Read an object that everybody may see: the gallery's, or the public tier's."""
    spec = found.modality.spec
    if found.tier == ScoreTier.STANDARD:
        return physics.scene(spec, sample)
    return datasets.load_public_truth(spec, sample)
