"""Fill a new database for the browser: catalogue, one finished gallery each, an entry, a person.

Run as ``python -m tests.browser.seed``. The pictures are drawn from real scenes; only their
scores are made up, because computing them takes minutes.
"""

from __future__ import annotations

from uuid import UUID

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.files.base import ContentFile  # noqa: E402
from django.core.files.storage import default_storage  # noqa: E402
from django.core.management import call_command  # noqa: E402

from gallery import images  # noqa: E402
from gallery.models import Run  # noqa: E402
from modalities import physics  # noqa: E402
from modalities.models import Modality  # noqa: E402
from tests.factories import make_attempt, make_entry, make_method, make_user  # noqa: E402
from tests.gallery.rows import make_finished_run  # noqa: E402


def draw(run: Run, key: str) -> None:
    """Write every picture that the run's rows name."""
    spec = physics.load(key)
    for result in run.results.all():
        x = physics.scene(spec, result.scene)
        picture = images.object_picture(x)
        error = images.error_picture(x, x * 0.9)
        for field, data in (
            (result.truth, picture),
            (result.measurement, picture),
            (result.reconstruction, picture),
            (result.difference, error),
        ):
            if not default_storage.exists(field.name):
                default_storage.save(field.name, ContentFile(data))


ENTRY = UUID("00000000-0000-4000-8000-000000000001")


def enter(owner: User) -> None:
    """Give STEM an entry that lacks the hidden tier, so that it is listed and not ranked."""
    stem = Modality.objects.get(key="stem")
    method = make_method(stem, name="Sparse atoms", owner=owner)
    tiers = {"public": (0.71, 28.4, 0.87), "dev": (0.64, 25.9, 0.81)}
    entry = make_entry(stem, method, id=ENTRY, tiers=tiers)
    make_attempt(stem, method, "dev", (0.66, 26.3, 0.82))
    entry.approve(make_user(), "It does what its description says.")


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    call_command("sync_catalogue")
    enter(make_user(username="ada"))
    for modality in Modality.objects.all():
        finished = make_finished_run(modality)
        finished.results.update(spec_error={})  # the rows' are those of the STEM
        draw(finished, modality.key)
