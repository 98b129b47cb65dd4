"""Complex objects, complex data and bands survive every step from the tier's file to the score."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from leaderboards import bundle
from leaderboards.expected import expectation
from leaderboards.models import Attempt
from leaderboards.scoring.evidence import outputs_sha256
from leaderboards.scoring.verify import Verdict, verify
from modalities import datasets, physics
from modalities.jobs import State
from tests import challenge, other_systems
from tests.factories import make_method, make_modality, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=other_systems.OTHERS)
def modality(request, settings, tmp_path, monkeypatch):
    """One of the systems, with a page of its own and the data of its public tier."""
    (tmp_path / "catalogue").mkdir()
    other_systems.move_in(monkeypatch, tmp_path / "catalogue")
    challenge.move_in(settings, tmp_path)
    made = make_modality(request.param)
    datasets.build(made.spec, "public")
    return made


def participant(modality) -> tuple[list[dict[str, np.ndarray]], dict[str, float]]:
    """Reconstruct the downloaded file with the true spec, as somebody with our package does."""
    samples = []
    name = datasets.challenge_name(modality.spec, "public")
    with default_storage.open(name) as stored, h5py.File(stored) as h5:
        for sample in h5.values():
            true = json.loads(sample.attrs["true_spec"])
            facts = json.loads(sample.attrs["metadata"])
            y, x = sample["y"][:], sample["x_true"][:]
            H = physics.forward(modality.spec, **true)
            x_hat = physics.reconstruct("cgls", H, y).astype(facts["x_hat_dtype"])
            samples.append({"x": x, "y": y, "x_hat": x_hat})
    return samples, true


def submission(path: Path, samples: list[dict[str, np.ndarray]], spec: dict[str, float]) -> bytes:
    with h5py.File(path, "w") as h5:
        for i, sample in enumerate(samples):
            group = h5.create_group(f"sample_{i:02d}")
            group.create_dataset("x_hat", data=sample["x_hat"], compression="gzip", shuffle=True)
            group.attrs["corrected_spec"] = json.dumps(spec)
    return path.read_bytes()


def scored(modality, content: bytes) -> Attempt:
    user = make_user()
    attempt = Attempt.objects.submit(
        user,
        file=ContentFile(content, "upload.h5"),
        sha256=hashlib.sha256(content).hexdigest(),
        modality=modality,
        method=make_method(modality, owner=user),
        tier="public",
    )
    return challenge.run(attempt)


def test_score_of_a_file_is_the_one_computed_directly(modality, tmp_path):
    spec = modality.spec
    samples, true = participant(modality)
    done = scored(modality, submission(tmp_path / "s.h5", samples, true))
    assert done.state == State.SUCCEEDED, done.problems
    drawn = datasets.draw(spec, "public")
    H = physics.forward(spec, **drawn.mismatch)
    assert drawn.mismatch == true
    for i, (sample, scene) in enumerate(zip(samples, done.result["scenes"], strict=True)):
        x = physics.scene(spec, i, drawn.of_scene(i))
        y = physics.measure(H, x, np.random.default_rng(drawn.of_noise(i)))
        x_hat = physics.reconstruct("cgls", H, y)
        assert sample["y"].dtype == physics.single(y).dtype
        np.testing.assert_allclose(sample["x"], x, atol=1e-7)
        np.testing.assert_allclose(sample["y"], y, rtol=1e-6, atol=1e-7)
        assert scene["psnr"] == pytest.approx(physics.psnr(x, x_hat), abs=1e-4)
        assert scene["ssim"] == pytest.approx(physics.ssim(x, x_hat, spec.channels), abs=1e-5)
        assert scene["consistency"] == pytest.approx(physics.consistency(y, H, x_hat), abs=1e-5)


@pytest.mark.parametrize("modality", ["mri"], indirect=True)
def test_imaginary_part_of_the_data_is_worth_25_decibels(modality):
    """Least squares leave noise of SIGMA in each pixel: −20 lg 0.008 = 41.9 dB."""
    samples, true = participant(modality)
    H = physics.forward(modality.spec, **true)
    expected = -20 * np.log10(other_systems.SIGMA)
    for sample in samples:
        # Clipping takes away the negative half of it where the object is dark.
        assert expected - 0.5 < physics.psnr(sample["x"], sample["x_hat"]) < expected + 3.0
        dropped = physics.reconstruct("cgls", H, sample["y"].real)
        assert physics.psnr(sample["x"], dropped) < expected - 20


@pytest.mark.parametrize("modality", ["mri_phase"], indirect=True)
def test_magnitude_alone_is_refused_where_the_object_is_complex(modality, tmp_path):
    samples, true = participant(modality)
    for sample in samples:
        sample["x_hat"] = np.abs(sample["x_hat"])
    done = scored(modality, submission(tmp_path / "s.h5", samples, true))
    assert done.state == State.FAILED
    assert "sample_00/x_hat: expected complex numbers" in done.problems[0]


def test_kept_outputs_and_bundle_hold_what_was_sent(modality, tmp_path):
    samples, true = participant(modality)
    done = scored(modality, submission(tmp_path / "s.h5", samples, true))
    with done.arrays.open("rb") as file, np.load(io.BytesIO(file.read())) as kept:
        for name, sample in zip(
            datasets.sample_names(modality.spec, "public"), samples, strict=True
        ):
            assert kept[name].dtype == sample["x_hat"].dtype
            np.testing.assert_array_equal(kept[name], sample["x_hat"])
    assert done.outputs_sha256 == outputs_sha256([s["x_hat"] for s in samples])
    verdicts = {row.verdict for row in verify(bundle.write(done.entry))}
    assert Verdict.CONFIRMED in verdicts
    assert Verdict.DIFFERS not in verdicts


def test_expectation_and_metadata_say_whether_the_object_is_complex(modality):
    is_complex = modality.key == "mri_phase"
    expected = expectation(modality.spec, "public")
    assert expected.is_complex is is_complex
    shape = modality.spec.shape
    assert expected.bytes_per_sample == (8 if is_complex else 4) * np.prod(shape)
    name = datasets.challenge_name(modality.spec, "public")
    with default_storage.open(name) as stored, h5py.File(stored) as h5:
        facts = json.loads(h5["sample_00"].attrs["metadata"])
    assert facts["x_hat_dtype"] == ("complex64" if is_complex else "float32")
    assert facts["channels"] == (["λ"] if modality.key == "cassi" else [])
