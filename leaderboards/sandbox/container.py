"""Make a container archive ready to run: unpack it for one run, and say how it is started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from django.conf import settings

from . import walls
from .archive import Beat, Unpacked, image, of_the_machine, sweep
from .program import Outcome, Reason
from .slots import Slot

# What bubblewrap says where the image's own command or folder is not to be had.
NOT_STARTED = ("bwrap: execvp ", "bwrap: Can't chdir to ")


@contextmanager
def unpacked(archive: Path, slot: Slot, beat: Beat) -> Iterator[Unpacked]:
    """Unpack an archive for one run in this slot; raise BadArchive or ArchiveFault."""
    folder = Path(settings.PWM_RUNTIME) / "images"
    with of_the_machine():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep(folder)
    with image(archive, folder, slot.user, beat=beat) as found:
        yield found


def environment(found: Unpacked) -> dict[str, str]:
    """Return the image's variables, and ours where it sets none or where they name our folder."""
    ours = {name: walls.ENVIRONMENT[name] for name in ("HOME", "TMPDIR")}
    return walls.ENVIRONMENT | found.env | ours


def workdir(found: Unpacked) -> str:
    """Return the image's working folder, or /work where it has none that a run shows."""
    top = found.workdir.split("/")[1]
    return "/work" if not top or top in walls.OURS else found.workdir


def as_program_fault(outcome: Outcome) -> Outcome:
    """Take a command that cannot be started for a fault of the image, which names it."""
    said = [text for text in NOT_STARTED if text in outcome.detail]
    if outcome.reason != Reason.SERVER or not said:
        return outcome
    sentence = said[0].removeprefix("bwrap: ") + outcome.detail.partition(said[0])[2]
    return replace(outcome, reason=Reason.FAILED, detail=f"It did not start: {sentence}")
