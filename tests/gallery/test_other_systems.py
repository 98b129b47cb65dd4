"""The gallery of systems with complex values or bands: arrays whole, pictures of what is said."""

from __future__ import annotations

import io

import numpy as np
import pytest
from django.core.files.storage import default_storage
from PIL import Image

from gallery import gallery_page, images, reconstruct
from gallery.models import Run
from modalities import physics
from modalities.jobs import worker
from tests import challenge, other_systems
from tests.factories import make_modality

pytestmark = pytest.mark.django_db(transaction=True)

DRAWN = {
    "mri": "the magnitude of the complex measurement",
    "mri_phase": "the magnitude of the complex object, the magnitude of the complex measurement",
    "cassi": "channel 3 of 5 along λ",
}


@pytest.fixture(params=other_systems.OTHERS)
def run(request, settings, tmp_path, monkeypatch) -> Run:
    """A run of one of the systems that has been computed."""
    (tmp_path / "catalogue").mkdir()
    other_systems.move_in(monkeypatch, tmp_path / "catalogue")
    challenge.move_in(settings, tmp_path)
    made = Run.objects.ask(make_modality(request.param))
    made.claim("test")
    worker.run(made, reconstruct.compute)
    made.refresh_from_db()
    return made


def test_arrays_are_whole_and_give_the_scores_again(run):
    spec = physics.load(run.modality.key)
    H = physics.forward(spec)
    for result in run.results.filter(scenario="I"):
        with default_storage.open(result.arrays.name) as file:
            arrays = dict(np.load(io.BytesIO(file.read())))
        assert np.iscomplexobj(arrays["truth"]) is (H.in_dtype is complex)
        assert np.iscomplexobj(arrays["measurement_nominal"]) is (H.out_dtype is complex)
        x, x_hat = arrays["truth"], arrays["reconstruction_I"]
        assert result.psnr == pytest.approx(physics.psnr(x, x_hat), abs=1e-4)
        assert result.ssim == pytest.approx(physics.ssim(x, x_hat, spec.channels), abs=1e-5)


def test_page_says_what_the_pictures_show(run, client):
    found = gallery_page.of_run(run)
    assert found.drawn == DRAWN[run.modality.key]
    assert all(found.drawn in cell.caption for row in found.scenes for cell in row.cells)
    size = (found.size.width, found.size.height)
    with default_storage.open(run.results.first().truth.name) as file:
        picture = Image.open(io.BytesIO(file.read()))
    assert size == physics.load(run.modality.key).shape[:-3:-1]
    assert picture.width * size[1] == picture.height * size[0]
    page = client.get(run.get_absolute_url()).content.decode()
    assert f"The pictures show {found.drawn}." in page


def test_error_of_the_phase_is_in_the_picture_of_errors():
    x = np.ones((8, 8), complex)
    right, wrong = images.error_picture(x, x), images.error_picture(x, 1j * x)
    assert right != wrong
    assert images.object_picture(x) == images.object_picture(1j * x)


@pytest.mark.parametrize("shape", [(9,), (9, 8), (3, 9, 8), (9, 3, 9, 8)])
def test_measurement_of_any_number_of_axes_has_a_picture(shape, rng):
    y = rng.random(shape)
    assert images.measurement_picture(y, images.measurement_scale(y)).startswith(b"RIFF")


def test_plain_images_need_no_words():
    assert gallery_page._drawn(physics.load("stem")) == ""
