"""What is kept of attempts, for how long, and the files that nobody keeps.

- The file of a refused or cancelled attempt goes with the verdict (``Attempt.after_move``), that of
  one that failed because of the server after FAILED, that of a scored one never: newer metrics
  score it again.
- Arrays go when an attempt ended ``PWM_KEEP_ARRAYS_DAYS`` ago, counts nowhere, was not chosen and
  has no part in a certificate. Their hash stays, and the file gives them again.
- What is left of a program's run goes ``PWM_KEEP_PROGRAMS_DAYS`` after its end: of a trial and of
  a run without a score all of it, of a scored one the output, whose arrays are kept. Its program
  and its log stay, for curators. A program that a second run names too stays with that one.
- A file that no row names was left by a process that died between storing it and writing the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.core.files.storage import Storage
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from modalities.jobs import State
from modalities.models import TierName

from . import programs
from .models import (
    Attempt,
    AttemptQuerySet,
    Certificate,
    Entry,
    ProgramRun,
    TierScore,
    run_storage,
)
from .models.attempt import private_storage
from .upload import FOLDER

# No request takes so long from storing a file to writing its row.
SETTLED = timedelta(hours=1)
# The folders of so many days are searched; a sweep runs every hour.
SEARCHED = timedelta(days=30)
FAILED = timedelta(days=30)


def sweep_uploads() -> int:
    """Delete stored uploads that no attempt names, and unfinished ones; say how many."""
    files = Attempt.objects.order_by().values_list("file", flat=True)
    sent = ProgramRun.objects.order_by().values_list("source", flat=True)
    count = _sweep(private_storage(), FOLDER, lambda names: files.filter(file__in=names))
    count += _sweep(run_storage(), programs.FOLDER, lambda names: sent.filter(source__in=names))
    return count + _sweep_unfinished()


def _sweep(storage: Storage, folder: str, kept_of: Callable[[list[str]], Iterable[str]]) -> int:
    count = 0
    for names in _by_day(storage, folder):
        kept = set(kept_of(names))
        for name in names:
            if name not in kept and _is_old(storage, name):
                storage.delete(name)
                count += 1
    return count


def forget_runs() -> int:
    """Delete what is left of old trials, of runs without a score, and outputs; say how many."""
    before = timezone.now() - timedelta(days=settings.PWM_KEEP_PROGRAMS_DAYS)
    old = ProgramRun.objects.filter(attempt__finished_at__lt=before)
    for_good = Q(attempt__score__isnull=False) & ~Q(attempt__tier=TierName.PUBLIC)
    count = sum(_forget(run, "output") for run in old.exclude(output="").iterator(500))
    for name in ("source", "log"):
        rest = old.exclude(for_good).exclude(**{name: ""})
        count += sum(_forget(run, name) for run in rest.iterator(500))
    return count


def _forget(run: ProgramRun, field: str) -> int:
    """Forget a file in the row first; delete it unless another row names it."""
    name = getattr(run, field).name
    with transaction.atomic():
        if not ProgramRun.objects.filter(pk=run.pk, **{field: name}).update(**{field: ""}):
            return 0
        if not ProgramRun.objects.filter(**{field: name}).exists():
            transaction.on_commit(lambda: run_storage().delete(name))
    return 1


def forget_failed() -> int:
    """Delete the files of attempts that ended long ago without a score; say how many."""
    ended = Attempt.objects.files().filter(
        state__in=(State.FAILED, State.CANCELLED), finished_at__lt=timezone.now() - FAILED
    )
    return sum(_drop(attempt, "file") for attempt in ended.exclude(file="").iterator(500))


def thin_arrays() -> int:
    """Delete the arrays of old attempts that neither count nor are certified; say how many."""
    count = 0
    for pk, entry in thinnable().values_list("pk", "entry"):
        with transaction.atomic():
            # Whoever lets an attempt count holds this lock, too: look again under it.
            Entry.objects.select_for_update().get(pk=entry)
            attempt = thinnable().filter(pk=pk).first()
            count += _drop(attempt, "arrays") if attempt else 0
    return count


def thinnable() -> AttemptQuerySet:
    """List the attempts whose arrays the rule lets go."""
    before = timezone.now() - timedelta(days=settings.PWM_KEEP_ARRAYS_DAYS)
    me = OuterRef("pk")
    counts = TierScore.objects.filter(Q(attempt=me) | Q(chosen=me))
    certified = Certificate.objects.filter(Q(attempt=me) | Q(second=me))
    found: AttemptQuerySet = Attempt.objects.filter(
        ~Exists(counts), ~Exists(certified), entry__isnull=False, finished_at__lt=before
    )
    return found.exclude(arrays="")


def _drop(attempt: Attempt, field: str) -> int:
    """Forget a file in the row first, so that no row ever names one that is gone."""
    name = getattr(attempt, field).name
    if not Attempt.objects.filter(pk=attempt.pk, **{field: name}).update(**{field: ""}):
        return 0
    transaction.on_commit(lambda: private_storage().delete(name))
    return 1


def _by_day(storage: Storage, parent: str) -> Iterator[list[str]]:
    """List the stored uploads of the last days, one day at a time."""
    today = datetime.now(UTC).date()
    try:
        folders = storage.listdir(parent)[0]
    except FileNotFoundError:
        return
    for folder in folders:
        try:
            day = date.fromisoformat(folder)
        except ValueError:
            continue
        if today - SEARCHED <= day:
            names = storage.listdir(f"{parent}/{folder}")[1]
            yield [f"{parent}/{folder}/{name}" for name in names]


def _is_old(storage: Storage, name: str) -> bool:
    try:
        return storage.get_modified_time(name) < timezone.now() - SETTLED
    except FileNotFoundError:
        return False


def _sweep_unfinished() -> int:
    """Delete what requests that died left of uploads on this machine's disk."""
    before = (timezone.now() - SETTLED).timestamp()
    left = [
        path
        for path in Path(settings.FILE_UPLOAD_TEMP_DIR).glob("*.upload*")
        if path.stat().st_mtime < before
    ]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)
