"""Fill a new database for the browser: catalogue, one finished gallery each, a person.

Run as ``python -m tests.browser.seed``. The pictures are drawn from real scenes; only their
scores are made up, because computing them takes minutes.
"""

from __future__ import annotations

import django

django.setup()

from django.core.files.base import ContentFile  # noqa: E402
from django.core.files.storage import default_storage  # noqa: E402
from django.core.management import call_command  # noqa: E402

from gallery import images  # noqa: E402
from gallery.models import Run  # noqa: E402
from modalities import physics  # noqa: E402
from modalities.models import Modality  # noqa: E402
from tests.factories import make_user  # noqa: E402
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


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    call_command("sync_catalogue")
    make_user(username="ada")
    for modality in Modality.objects.all():
        finished = make_finished_run(modality)
        finished.results.update(spec_error={})  # the rows' are those of the STEM
        draw(finished, modality.key)
