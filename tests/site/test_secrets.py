"""Nothing that the site says gives the truth of the dev and hidden tiers away.

The test knows the truth. It looks for it, in every spelling that it can think of, in each answer of
the site to anybody, to a competitor and to the staff, in all public files, and in the log.
"""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from django.conf import settings as site_settings
from django.test import Client

from gallery.images import object_picture
from leaderboards import bundle
from leaderboards.models import REFERENCES, Attempt, Entry
from leaderboards.scoring import baselines
from modalities import datasets
from modalities.jobs import State
from pwmsite.models import ApiToken
from tests import challenge
from tests.factories import make_user
from tests.needs import FULL
from tests.site.walking import walk

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = ("dev", "hidden")
# Who walks the site: the staff see the most, and the public the least.
WALKERS = (
    ("anybody", "a competitor", "a program", "the staff") if FULL else ("a competitor", "the staff")
)
NUMBER = re.compile(rb"\d+\.\d+")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("challenge")


@pytest.fixture
def stem(settings, folder):
    return challenge.open_challenge(settings, folder)


class Secrets:
    """The truth of the secret tiers, in many spellings."""

    def __init__(self, modality) -> None:
        self.needles: dict[bytes, str] = {}
        self.numbers: dict[bytes, str] = {}
        self.arrays = []
        for name in ("SECRET_KEY", "DATA_KEY", "SIGNING_KEY"):
            self.needles[getattr(site_settings, name).encode()] = name
        for tier in SECRET:
            truth = datasets.load_truth(modality.spec, tier)
            for name, value in truth.mismatch.items():
                single = repr(float(np.float32(value)))
                for text in (repr(value), single, f"{value:.5f}", f"{value:.4f}", f"{value:.4g}"):
                    if len(text.strip("-0.")) >= 4:
                        self.numbers[text.strip("-").encode()] = f"{tier} {name}"
            for i, x in enumerate(truth.x):
                self._add_object(f"{tier} object {i}", x)
            for path in _secret_files(tier):
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                self.needles[digest.encode()] = f"hash of {path.name}"

    def _add_object(self, what: str, x) -> None:
        self.arrays.append((what, x))
        row = int(x.std(axis=1).argmax())
        for kind in ("<f4", "<f8"):
            bright = x[row].astype(kind)
            self.needles[bright[len(bright) // 2 :][:16].tobytes()] = f"{what} as {kind}"
        for data in (object_picture(x), np.ascontiguousarray(x, "<f4").tobytes()):
            self.needles[data] = f"{what}, whole"
            self.needles[hashlib.sha256(data).hexdigest().encode()] = f"hash of {what}"

    def told_by(self, content: bytes) -> list[str]:
        """List what ``content`` gives away; look into HDF5 files and NumPy archives too."""
        told = [what for needle, what in self.needles.items() if needle in content]
        # Whole numbers only: a measured 0.12794… begins like a truth of 0.1279 and tells nothing.
        told += {
            self.numbers[number] for number in NUMBER.findall(content) if number in self.numbers
        }
        if content.startswith(b"\x89HDF"):
            told += self._in_arrays(_datasets(content))
        return told

    def _in_arrays(self, arrays) -> list[str]:
        return [
            what
            for what, x in self.arrays
            for array in arrays
            if array.shape == x.shape and np.allclose(array, x, atol=1e-3)
        ]


def _datasets(content: bytes) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    with h5py.File(io.BytesIO(content)) as h5:
        h5.visititems(lambda _, node: found.append(node[()]) if hasattr(node, "shape") else None)
    return [array for stack in found for array in (stack, *(stack if stack.ndim == 3 else ()))]


def run_references(modality) -> None:
    """Run what knows most of the truth: the true spec. Other references are for open tiers."""
    baselines.queue_missing(modality)
    done = challenge.run_baselines(
        tier__in=SECRET, variant__in=REFERENCES, method__physics_name=modality.best_method
    )
    assert {attempt.state for attempt in done} == {State.SUCCEEDED}
    assert {(a.tier, a.variant) for a in done} == {(tier, "true_spec") for tier in SECRET}


def test_no_answer_file_or_log_line_gives_the_truth_away(stem, folder, caplog, capfd, settings):
    settings.PWM_DEV_SUBMISSIONS_A_DAY = 3
    run_references(stem)
    ada, staff = make_user(), make_user(is_staff=True, is_superuser=True)
    method = challenge.own_method(ada, stem)
    _, token = ApiToken.objects.make(ada, "test")
    people = {
        "anybody": Client(raise_request_exception=False),
        "a competitor": Client(raise_request_exception=False),
        "a program": Client(headers={"Authorization": f"Bearer {token}"}),
        "the staff": Client(raise_request_exception=False),
    }
    people["a competitor"].force_login(ada)
    people["the staff"].force_login(staff)
    written = challenge.starter_writes(challenge.download(people["anybody"], "dev"))
    near = challenge.calibrated(written, stem, "dev")
    form = "/submissions/new/"
    sent = people["a competitor"].post(form, challenge.form_data(method, near, "dev"))
    people["a competitor"].post(form, challenge.form_data(method, written, "dev"))
    people["a competitor"].post(form, challenge.form_data(method, b"no HDF5", "dev"))
    challenge.score_all()
    start = [
        "/",
        "/api/v1/",
        "/history/",
        "/curate/",
        "/accounts/",
        "/submissions/",
        "/admin/",
        sent["Location"],
    ]
    start += [f"/modalities/stem/data/{tier}.h5" for tier in (*SECRET, "truth", "..")]
    start += [f"/media/{path}" for path in _secret_names()]
    start += [f"/static/{path}" for path in _secret_names()]
    start += [f"{sent['Location']}{i}-{kind}.webp" for i in range(8) for kind in ("truth", "error")]

    attempts = Attempt.objects.filter(variant="true_spec", tier__in=SECRET)
    assert not any(attempt.corrected_spec for attempt in attempts)
    secrets = Secrets(stem)
    assert len(secrets.needles) > 30
    assert len(secrets.numbers) > 10
    looked_at: set[bytes] = set()
    for who in WALKERS:
        pages = walk(people[who], start)
        assert len(pages) > 20
        for place, content in pages.items():
            if content not in looked_at:
                assert not secrets.told_by(content), f"{place}, as {who} sees it"
        looked_at.update(pages.values())
    for path in Path(site_settings.MEDIA_ROOT).rglob("*"):
        if path.is_file():
            assert not secrets.told_by(path.read_bytes()), path
    for entry in Entry.objects.filter(origin="measured"):
        packed = bundle.write(entry)
        assert not secrets.told_by(packed)
        assert not secrets.told_by(bundle.read(packed)[1]["manifest.json"])
    logged = caplog.text + "".join(capfd.readouterr())
    assert not secrets.told_by(logged.encode())


def _secret_files(tier: str = "") -> list[Path]:
    truths = Path(site_settings.TRUTH_DIR).rglob(f"*-{tier}*.h5")
    return [*truths, *Path(site_settings.MEASUREMENTS_DIR).rglob("*-hidden.h5")]


def _secret_names() -> list[str]:
    root = Path(site_settings.TRUTH_DIR).parent
    return [f"../{path.relative_to(root)}" for path in _secret_files()]


def test_the_walker_finds_what_it_looks_for(stem, tmp_path):
    """A test that cannot fail is a defect: this one hides the truth and sees it found."""
    secrets = Secrets(stem)
    truth = datasets.load_truth(stem.spec, "dev")
    value = next(v for v in truth.mismatch.values() if len(repr(abs(v))) >= 6)
    assert secrets.told_by(f"<td>{value}</td>".encode())
    assert secrets.told_by(b"x" + truth.x[1].tobytes() + b"y")
    assert secrets.told_by(object_picture(truth.x[2]))
    with h5py.File(tmp_path / "leak.h5", "w") as h5:
        h5.create_dataset("a/b", data=truth.x, compression="gzip", shuffle=True)
    assert secrets.told_by((tmp_path / "leak.h5").read_bytes())
    assert not secrets.told_by(b"Nothing to see here.")


def test_the_truth_lies_where_only_its_owner_may_look(stem):
    root = Path(site_settings.TRUTH_DIR)
    assert root.stat().st_mode & 0o077 == 0
    for public in (site_settings.MEDIA_ROOT, site_settings.STATIC_ROOT, site_settings.BASE_DIR):
        for tier in SECRET:
            assert not list((Path(public) / "datasets").rglob(f"*{tier}*truth*"))
