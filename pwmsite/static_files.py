"""The static files of this release, collected on every machine that serves them.

Pages name them by the hash of their content, from a manifest that lies beside them: without it no
page can be drawn.
"""

from __future__ import annotations

import fcntl
import filecmp
from pathlib import Path
from typing import Any, cast

import structlog
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import ManifestFilesMixin, staticfiles_storage
from django.core.management import call_command

log = structlog.get_logger(__name__)


def collect() -> None:
    """Collect the files of this release, if they are not there; one process of a machine at a time.

    A folder that cannot be written is logged and named by ``/readyz``; it stops no start, because
    the files of the last release may still do.
    """
    if not settings.COLLECTED:
        return
    with (settings.VAR_DIR / "static.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if not are_current():
                call_command("collectstatic", interactive=False, verbosity=0)
        except OSError as error:
            log.error(
                "The static files cannot be collected; see that PWM_STATIC can be written.",
                folder=str(settings.STATIC_ROOT),
                error=str(error),
            )


def are_current() -> bool:
    """Tell whether every file of this release is there, with its bytes, and in the manifest."""
    _read_manifest_again()
    root = Path(settings.STATIC_ROOT)
    for finder in get_finders():
        for name, storage in finder.list([]):
            path = Path(getattr(storage, "prefix", "") or "") / name
            collected = root / path
            if not collected.is_file() or not _is_named(path.as_posix()):
                return False
            if not filecmp.cmp(storage.path(name), collected, shallow=False):
                return False
    return True


def can_draw_pages() -> bool:
    """Tell whether the style of every page has its name and its file; cheap."""
    return not settings.COLLECTED or _is_named("css/site.css")


def _is_named(name: str) -> bool:
    storage = cast(ManifestFilesMixin, staticfiles_storage)
    hashed = storage.hashed_files.get(storage.hash_key(storage.clean_name(name)))
    return hashed is not None and (Path(settings.STATIC_ROOT) / hashed).is_file()


def _read_manifest_again() -> None:
    """Another process may have written it since this one started."""
    storage: Any = staticfiles_storage  # its stubs take the manifest's hash for its files
    storage.hashed_files, storage.manifest_hash = storage.load_manifest()
