"""The tiers' data and the starter programs, as anybody gets them from the site."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import h5py
import pytest

from leaderboards.catalogue import sync_everything
from modalities import tier_downloads
from modalities.models import Dataset
from tests import challenge
from tests.factories import make_modality

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("challenge")


@pytest.fixture
def stem(settings, folder):
    return challenge.open_challenge(settings, folder, catalogue=False)


@pytest.fixture
def whole_stem(settings, folder):
    return challenge.open_challenge(settings, folder)


def test_a_download_is_the_file_that_the_page_gives_the_checksum_of(client, whole_stem):
    content = challenge.download(client, "public")
    page = client.get("/modalities/stem/").content.decode()
    assert hashlib.sha256(content).hexdigest() in page
    assert "/modalities/stem/data/public.h5" in page
    assert "/modalities/stem/starter.py" in page
    assert Dataset.objects.get(modality=whole_stem, tier="hidden").sha256 not in page


def test_an_interrupted_download_goes_on_where_it_stopped(client, stem):
    whole = challenge.download(client, "dev")
    head = client.head("/modalities/stem/data/dev.h5")
    assert int(head["Content-Length"]) == len(whole)
    rest = client.get(
        "/modalities/stem/data/dev.h5",
        headers={"Range": "bytes=1000-", "If-Range": head["ETag"]},
    )
    assert rest.status_code == 206
    assert whole[:1000] + b"".join(rest.streaming_content) == whole


def test_dev_comes_without_truth(client, stem, tmp_path):
    path = tmp_path / "dev.h5"
    path.write_bytes(challenge.download(client, "dev"))
    with h5py.File(path) as h5:
        names: list[str] = []
        h5.visit(names.append)
        attributes = {name for sample in h5.values() for name in sample.attrs}
    assert not [name for name in names if "x_true" in name]
    assert "true_spec" not in attributes
    assert "spec_ranges" in attributes


def test_hidden_tier_has_no_download(client, stem):
    answer = client.get("/modalities/stem/data/hidden.h5")
    assert answer.status_code == 404
    assert tier_downloads.NO_HIDDEN_DATA in answer.content.decode()


@pytest.mark.parametrize("tier", ["secret", "Public", "truth"])
def test_other_tiers_are_not_there(client, stem, tier):
    assert client.get(f"/modalities/stem/data/{tier}.h5").status_code == 404


def test_data_that_are_not_built_say_so(client, settings, tmp_path):
    challenge.move_in(settings, tmp_path)
    sync_everything()
    page = client.get("/modalities/stem/")
    assert page.status_code == 200
    assert "not built yet" in page.content.decode()
    answer = client.get("/modalities/stem/data/public.h5")
    assert answer.status_code == 404
    assert tier_downloads.NOT_BUILT in answer.content.decode()


def test_data_whose_file_is_lost_say_so(client, stem, settings, tmp_path):
    challenge.move_in(settings, tmp_path)
    assert client.get("/modalities/stem/data/public.h5").status_code == 404


@pytest.mark.parametrize("key", ["stem", "electron_tomography"])
def test_the_starter_comes_as_a_python_file(client, key):
    make_modality(key)
    answer = client.get(f"/modalities/{key}/starter.py")
    assert answer.status_code == 200
    assert re.search(r"attachment; filename=\"pwm-\w+-starter.py\"", answer["Content-Disposition"])
    compile(answer.content, "starter.py", "exec")
    assert client.get("/modalities/ct/starter.py").status_code == 404
