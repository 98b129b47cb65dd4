"""What the home page shows of galleries: three pictures, and what the mismatch costs at home."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict, cast

from django.db.models import Avg, F, Max, OuterRef, Q, QuerySet, Subquery

from modalities.figures import decibels, fixed
from modalities.models import Modality

from .models import Group, Run, Scenario
from .run_line import file_url

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

LABELS = ("truth", "measured", "reconstructed")
_AT_HOME = Q(results__group=Group.HOME)
_SHOWN = Q(results__scene=0, results__scenario=Scenario.II)


class Shown(TypedDict):
    """What the query adds to a run: its mean PSNRs, and its first scene's pictures."""

    nominal: float
    mismatched: float
    truth: str | None
    measurement: str | None
    reconstruction: str | None
    title: str


@dataclass(frozen=True)
class Thumbnails:
    """Pictures of a modality's first scene in scenario II; empty while nothing was computed."""

    name: str = ""
    truth: str = ""
    measurement: str = ""
    reconstruction: str = ""
    cost: str = ""
    cost_detail: str = ""

    def labelled(self) -> list[dict[str, str]]:
        """Return what the card prints: address, label and alternative text of each picture."""
        if not self.truth:
            return []
        urls = (self.truth, self.measurement, self.reconstruction)
        return [
            {"url": url, "label": label, "alt": f"{self.name}, {label}"}
            for url, label in zip(urls, LABELS, strict=True)
        ]


def of(modalities: Sequence[Modality]) -> dict[int, Thumbnails]:
    """Return the thumbnails of each modality that has a gallery, by its id. One query."""
    done = Run.objects.succeeded()
    newest = done.filter(modality=OuterRef("modality")).order_by("-queued_at", "-pk")
    runs = (
        done.filter(modality__in=modalities)
        .filter(pk=Subquery(newest.values("pk")[:1]))
        .annotate(
            nominal=Avg("results__psnr", filter=_AT_HOME & Q(results__scenario=Scenario.I)),
            mismatched=Avg("results__psnr", filter=_AT_HOME & Q(results__scenario=Scenario.II)),
            truth=Max("results__truth", filter=_SHOWN),
            measurement=Max("results__measurement", filter=_SHOWN),
            reconstruction=Max("results__reconstruction", filter=_SHOWN),
            title=F("modality__short_name"),
        )
        .defer("spec")
        .order_by("modality")
    )
    found = cast("QuerySet[WithAnnotations[Run, Shown]]", runs)
    return {run.modality_id: _thumbnails(run) for run in found if run.truth}


def _thumbnails(run: WithAnnotations[Run, Shown]) -> Thumbnails:
    return Thumbnails(
        name=run.title,
        truth=file_url(run.pk, run.truth),
        measurement=file_url(run.pk, run.measurement),
        reconstruction=file_url(run.pk, run.reconstruction),
        cost=decibels(run.mismatched - run.nominal),
        cost_detail=f"{fixed(run.nominal, 1)} → {fixed(run.mismatched, 1)}",
    )
