"""One run as pages and API show it: who computed it, when, from what, and where its files are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.urls import reverse

from modalities import physics
from modalities.figures import seconds
from modalities.jobs.forecast import Forecast, forecast

from . import snapshot
from .models import Run, method_label


@dataclass(frozen=True)
class RunLine:
    """Who computed a run, when, from what, and its state."""

    id: str
    url: str
    progress_url: str
    cancel_url: str
    state: str
    state_text: str
    method: str
    seed: int
    spec_hash: str
    is_current: bool
    physics_version: str
    started_by: str
    queued_at: datetime
    finished_at: datetime | None
    duration: str
    cpu_seconds: str
    phase: str
    percent: int
    is_live: bool
    error_code: str
    error_message: str


def line(run: Run, key: str) -> RunLine:
    """Describe one run; ``key`` is its modality's."""
    return RunLine(
        id=str(run.pk),
        url=reverse("gallery:run", args=[run.pk]),
        progress_url=reverse("gallery:progress", args=[run.pk]),
        cancel_url=reverse("gallery:cancel", args=[run.pk]),
        state=run.state,
        state_text=run.get_state_display(),
        method=method_label(key, run.method),
        seed=run.seed,
        spec_hash=run.spec_hash[:12],
        is_current=key in physics.METHODS and run.spec_hash == snapshot.current_digest(key),
        physics_version=run.physics_version,
        started_by=run.started_by.get_username() if run.started_by else "",
        queued_at=run.queued_at,
        finished_at=run.finished_at,
        duration=_duration(run),
        cpu_seconds="" if run.cpu_seconds is None else seconds(run.cpu_seconds),
        phase=run.phase,
        percent=run.percent,
        is_live=run.is_live,
        error_code=run.error_code,
        error_message=run.error_message,
    )


def _duration(run: Run) -> str:
    if run.started_at is None or run.finished_at is None:
        return ""
    return seconds((run.finished_at - run.started_at).total_seconds(), 0)


def forecast_of(run: Run) -> Forecast:
    """Estimate when ``run`` starts and ends, from earlier runs of this gallery and method."""
    return forecast(run, Run.objects.filter(modality=run.modality_id, method=run.method))


def file_url(run: UUID, name: str | None) -> str:
    """Return the address of a run's file; ``name`` is the one it has in the storage."""
    return reverse("gallery:file", args=[run, str(name).rsplit("/", 1)[-1]])
