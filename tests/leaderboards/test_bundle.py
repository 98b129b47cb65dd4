"""A bundle confirms its own score, and every change of it is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from leaderboards import bundle
from leaderboards.models import Attempt, Entry
from leaderboards.scoring import baselines
from leaderboards.scoring.verify import verify
from tests import challenge
from tests.factories import make_entry, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("challenge")


@pytest.fixture
def stem(settings, folder):
    return challenge.open_challenge(settings, folder, catalogue=False)


@pytest.fixture
def scored(stem, client, folder) -> Entry:
    """An entry with a file that the starter wrote on the public and on the dev tier."""
    ada = make_user()
    client.force_login(ada)
    method = challenge.own_method(ada, stem)
    for tier in ("public", "dev"):
        written = challenge.starter_writes(folder, challenge.download(client, tier), tier)
        if tier == "dev":
            written = challenge.calibrated(written, stem, tier)
        client.post("/submissions/new/", challenge.form_data(method, written, tier))
    challenge.score_all()
    return Entry.objects.get(method=method)


def confirmed(content: bytes) -> dict[str, bool | None]:
    return {finding.tier: finding.is_confirmed for finding in verify(content)}


def test_a_bundle_confirms_its_own_score(scored, tmp_path, capsys):
    path = tmp_path / "bundle.zip"
    path.write_bytes(bundle.write(scored))
    call_command("verify_bundle", str(path))
    assert "public: confirmed" in capsys.readouterr().out
    assert confirmed(path.read_bytes()) == {"public": True, "dev": None}


def test_a_standard_baselines_bundle_confirms_its_score(stem):
    baselines.queue_missing(stem)
    (done,) = challenge.run_baselines(tier="standard", method__physics_name="wiener")
    assert confirmed(bundle.write(done.entry)) == {"standard": True}


def test_the_page_of_an_entry_offers_its_bundle(scored, client):
    page = client.get(scored.get_absolute_url())
    address = f"/entries/{scored.pk}/bundle.zip"
    assert address in page.content.decode()
    sent = client.get(address)
    assert f"pwm-entry-{scored.pk}.zip" in sent["Content-Disposition"]
    assert confirmed(sent.content)["public"] is True
    reported = make_entry(scored.modality, origin="reported")
    assert client.get(f"/entries/{reported.pk}/bundle.zip").status_code == 404


def test_one_changed_byte_in_a_bundle_is_refused(scored):
    content = bundle.write(scored)
    for at in range(0, len(content), len(content) // 50):
        spoilt = bytearray(content)
        spoilt[at] ^= 1
        with pytest.raises(bundle.BundleError):
            verify(bytes(spoilt))


def test_a_bundle_that_claims_another_score_is_found_out(scored, tmp_path):
    manifest, parts = bundle.read(bundle.write(scored))
    manifest["tiers"]["public"]["score"] = 0.99
    forged = bundle._sealed(parts | {"manifest.json": json.dumps(manifest).encode()})
    assert confirmed(forged)["public"] is False
    path = tmp_path / "forged.zip"
    path.write_bytes(forged)
    with pytest.raises(CommandError, match="claims scores that its outputs do not have"):
        call_command("verify_bundle", str(path))


def test_a_bundle_holds_neither_outputs_nor_specs_of_secret_tiers(scored):
    manifest, parts = bundle.read(bundle.write(scored))
    assert set(parts) == {"manifest.json", "log.txt", "outputs/public.npz"}
    dev = manifest["tiers"]["dev"]
    assert (dev["corrected_spec"], dev["seed"]) == ([], None)
    assert dev["psnr"] == round(dev["psnr"], 2)
    assert dev["hashes"]["outputs"] == Attempt.objects.get(tier="dev").outputs_sha256
