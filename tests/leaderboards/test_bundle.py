"""A bundle confirms its own figures, and no field of it can be forged."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from leaderboards import archive, bundle, canonical_json, signing, tasks
from leaderboards.bundle import BundleError
from leaderboards.models import Entry
from leaderboards.scoring import baselines
from leaderboards.scoring.score import score_tier
from leaderboards.scoring.verify import Row, Verdict, leaves, outputs_of, verify
from tests import challenge
from tests.factories import make_entry, make_user

pytestmark = pytest.mark.django_db(transaction=True)
OTHER = "the key of another site, which is long enough as well"


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
        written = challenge.starter_writes(challenge.download(client, tier))
        if tier == "dev":
            written = challenge.calibrated(written, stem, tier)
        client.post("/submissions/new/", challenge.form_data(method, written, tier))
    challenge.score_all()
    return Entry.objects.get(method=method)


@pytest.fixture
def content(settings, folder, request) -> bytes:
    """The bundle of that entry, which is made once: checking it takes no database."""
    kept = folder / "bundle.zip"
    if not kept.exists():
        kept.write_bytes(bundle.write(request.getfixturevalue("scored")))
    challenge.move_in(settings, folder)
    return kept.read_bytes()


def by_field(rows: list[Row]) -> dict[str, Verdict]:
    return {row.field: row.verdict for row in rows}


def resealed(content: bytes, change: Any, *, sign: bool = False) -> bytes:
    """Change a manifest; put the old signature beside it, or with ``sign`` a new one."""
    manifest, parts, signature = bundle.read(content)
    change(manifest)
    spelled = canonical_json.dump(manifest)
    if sign:
        signature = signing.sign(spelled)
    changed = {bundle.MANIFEST: spelled, bundle.SIGNATURE: bundle._spelled(signature)}
    return archive.pack(parts | changed)


def at(path: str, value: Any) -> Any:
    """Give a function that puts ``value`` at ``path`` of a manifest."""
    in_files = path.startswith("files.")  # whose names have dots of their own
    *branches, leaf = path.split(".", 1) if in_files else path.split(".")

    def change(tree: Any) -> None:
        for name in branches:
            tree = tree[int(name) if isinstance(tree, list) else name]
        tree[int(leaf) if isinstance(tree, list) else leaf] = value

    return change


def other(value: Any) -> Any:
    """Give a value like ``value`` that is not it."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 0.001
    if isinstance(value, str):
        return f"{value[:-1]}{'0' if value.endswith('1') else '1'}"
    return "1" if value is None else type(value)([("forged", 1)])


def test_every_field_of_a_bundle_is_confirmed_or_claimed(content, tmp_path, capsys):
    manifest, _, signature = bundle.read(content)
    rows = verify(content)
    assert [row.field for row in rows] == [path for path, _ in leaves(manifest)]
    for row in rows:
        if row.field.startswith(("claimed.", "signed.")):
            assert row.verdict == Verdict.CLAIMED, row
        elif row.field in ("computed.name", "computed.score") or row.field.endswith(".inputs"):
            assert row.verdict == Verdict.FOLLOWS, row
        else:
            assert row.verdict == Verdict.CONFIRMED, row
    assert manifest["signed"]["key_id"] == signing.key_id(signature.public_key)
    path = tmp_path / "bundle.zip"
    path.write_bytes(content)
    call_command("verify_bundle", str(path), "--key", signature.public_key)
    printed = capsys.readouterr().out
    assert "claimed.trust" in printed
    assert re.search(
        r"\nConfirmed: \d+ fields\. \d+ more rest on the word of the site\.\n$", printed
    )


def test_a_standard_baselines_bundle_confirms_its_figures(stem):
    baselines.queue_missing(stem)
    (done,) = challenge.run_baselines(tier="standard", method__physics_name="wiener")
    found = by_field(verify(bundle.write(done.entry)))
    assert found["computed.tiers.standard.figures.consistency"] == Verdict.CONFIRMED
    assert found["computed.score"] == Verdict.CONFIRMED
    assert Verdict.DIFFERS not in found.values()


def test_no_field_can_be_forged_without_the_key(content, settings):
    manifest, _, signature = bundle.read(content)
    paths = dict(leaves(manifest))
    assert len(paths) > 60
    for path, value in paths.items():
        forged = at(path, other(value))
        with pytest.raises(BundleError, match="does not fit the manifest"):
            verify(resealed(content, forged))
        settings.SIGNING_KEY = OTHER
        by_another = resealed(content, forged, sign=True)
        with pytest.raises(BundleError, match="signed by another site: key id"):
            verify(by_another, [signature.public_key])


def test_a_computed_field_that_is_wrong_differs_though_its_signature_is_right(content, monkeypatch):
    found: list[Any] = []

    def score_once(*given: Any) -> Any:
        found[:] = found or [score_tier(*given)]
        return found[0]

    monkeypatch.setattr("leaderboards.scoring.verify.score_tier", score_once)
    manifest, _, _ = bundle.read(content)
    fields = [path for path, _ in leaves(manifest) if path.startswith("computed.")]
    assert len(fields) > 15
    for path in fields:
        value = dict(leaves(manifest))[path]
        verdicts = by_field(verify(resealed(content, at(path, other(value)), sign=True)))
        follows = f"{path.rpartition('.')[0]}.inputs" if path.endswith("_version") else path
        wrong = [field for field, verdict in verdicts.items() if verdict == Verdict.DIFFERS]
        assert any(field.startswith(follows) for field in wrong), path


def test_a_file_or_format_that_is_wrong_is_refused_though_its_signature_is_right(content):
    for path in ("files.log.txt", "format", "signed.key_id"):
        change = at(path, 4) if path == "format" else at(path, "0" * 64)
        with pytest.raises(BundleError):
            verify(resealed(content, change, sign=True))
    _, parts, _ = bundle.read(content)
    for name in parts.keys() - {bundle.MANIFEST, bundle.SIGNATURE}:
        with pytest.raises(BundleError, match="is not the file that the manifest lists"):
            verify(archive.pack(parts | {name: parts[name] + b" "}))
        without = {each: part for each, part in parts.items() if each != name}
        with pytest.raises(BundleError, match="do not hold the same members"):
            verify(archive.pack(without))
    with pytest.raises(BundleError, match=r"the same members: outputs/dev\.npz"):
        verify(archive.pack(parts | {"outputs/dev.npz": b""}))


def test_one_changed_byte_in_a_bundle_is_refused(content):
    for place in range(0, len(content), len(content) // 50):
        spoilt = bytearray(content)
        spoilt[place] ^= 1
        with pytest.raises(BundleError):
            verify(bytes(spoilt))


def test_a_bundle_of_the_unsigned_format_is_refused():
    with pytest.raises(BundleError, match="earlier format, which was not signed"):
        verify(archive.pack({"manifest.json": b"{}"})[:-2] + b"\x47\0sha256:" + b"0" * 64)
    with pytest.raises(BundleError, match="no manifest with a signature"):
        verify(archive.pack({"manifest.json": b"{}"}))


def test_a_signature_in_another_spelling_is_refused(content):
    _, parts, signature = bundle.read(content)
    fields = {"public_key": signature.public_key, "signature": signature.value}
    for spelled in (
        json.dumps(fields),
        json.dumps(fields | {"algorithm": "none"}, separators=(",", ":")),
        json.dumps({"public_key": "", "signature": ""}, separators=(",", ":")),
        "{}",
    ):
        with pytest.raises(BundleError, match="no manifest with a signature"):
            verify(archive.pack(parts | {bundle.SIGNATURE: spelled.encode()}))


def test_a_signed_manifest_in_another_spelling_is_refused(content):
    _, parts, _ = bundle.read(content)
    spaced = json.dumps(json.loads(parts[bundle.MANIFEST]), indent=1).encode()
    signature = bundle._spelled(signing.sign(spaced))
    with pytest.raises(BundleError, match="canonical form"):
        verify(archive.pack(parts | {bundle.MANIFEST: spaced, bundle.SIGNATURE: signature}))


def test_outputs_that_nobody_can_score_differ(content):
    manifest, parts, _ = bundle.read(content)
    file = io.BytesIO()
    np.savez(file, sample_00=np.zeros((2, 2), "f4"))
    name = "outputs/public.npz"
    parts[name] = file.getvalue()
    changed = copy.deepcopy(manifest)
    changed["files"][name] = hashlib.sha256(parts[name]).hexdigest()
    spelled = canonical_json.dump(changed)
    signature = bundle._spelled(signing.sign(spelled))
    rows = verify(archive.pack(parts | {bundle.MANIFEST: spelled, bundle.SIGNATURE: signature}))
    found = by_field(rows)
    assert found["computed.tiers.public.outputs"] == Verdict.DIFFERS
    assert found["computed.tiers.public.figures.score"] == Verdict.DIFFERS


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.pop("files"),
        lambda m: m.pop("claimed"),
        lambda m: m.update(more={}),
        lambda m: m["claimed"].update(tiers=[]),
        lambda m: m["claimed"].update(tiers={"public": {}, "dev": {}}),
        lambda m: m["computed"]["tiers"].pop("dev"),
        lambda m: m["claimed"].update(modality="sonar"),
        lambda m: m["claimed"].update(modality=["stem"]),
        lambda m: m["claimed"].pop("method"),
        lambda m: m["claimed"].update(variant="strange"),
        lambda m: m["claimed"]["tiers"]["public"].pop("kind"),
    ],
)
def test_a_signed_manifest_of_another_make_is_refused_and_not_fallen_over(content, change):
    with pytest.raises(BundleError):
        verify(resealed(content, change, sign=True))


def test_names_cannot_write_lines_of_their_own_into_the_report(content, tmp_path, capsys):
    path = tmp_path / "bundle.zip"
    name = "A\nConfirmed: 99 fields.\x1b[2J\u202e"
    path.write_bytes(resealed(content, at("claimed.method.slug", name), sign=True))
    call_command("verify_bundle", str(path))
    printed = capsys.readouterr().out
    assert not set("\x1b\u202e") & set(printed)
    assert len([line for line in printed.splitlines() if line.startswith("Confirmed:")]) == 1


def test_visitors_who_ask_often_send_one_message(scored, client, settings, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(bundle.current_app, "send_task", lambda *_, args, **__: asked.append(*args))
    settings.SIGNING_KEY = ""
    Entry.objects.filter(pk=scored.pk).update(trust="rerun")
    for _ in range(3):
        assert client.get(f"/entries/{scored.pk}/bundle.zip").status_code == 503
    assert asked == [str(scored.pk)]


def test_outputs_are_read_in_double_precision_complex_ones_with_both_parts():
    file = io.BytesIO()
    np.savez(file, sample_01=np.ones(2, "f4"), sample_00=np.full(2, 1 + 2j, "c8"))
    first, second = outputs_of("public", {"outputs/public.npz": file.getvalue()})
    assert (first.dtype, second.dtype) == (np.complex128, np.float64)
    assert first[0] == 1 + 2j
    assert outputs_of("dev", {}) is None
    with pytest.raises(BundleError, match="not arrays that can be read"):
        outputs_of("public", {"outputs/public.npz": b"nonsense"})


def test_outputs_that_unpack_to_more_than_a_bundle_are_refused(monkeypatch):
    file = io.BytesIO()
    np.savez_compressed(file, sample_00=np.zeros(100_000))
    monkeypatch.setattr(archive, "LARGEST", 10_000)
    with pytest.raises(BundleError, match="unpack to more"):
        outputs_of("public", {"outputs/public.npz": file.getvalue()})


def test_the_command_says_by_its_exit_code_what_it_found(content, tmp_path, settings):
    path = tmp_path / "bundle.zip"

    def code(written: bytes, *more: str) -> int:
        path.write_bytes(written)
        try:
            call_command("verify_bundle", str(path), *more, stdout=io.StringIO())
        except CommandError as error:
            return error.returncode
        return 0

    wrong = at("computed.tiers.public.figures.score", 0.99)
    assert code(content) == 0
    assert code(resealed(content, wrong)) == 1
    assert code(resealed(content, wrong, sign=True)) == 1
    assert code(content, "--key", "ab" * 32) == 1
    assert code(content, "--key", "nonsense") == 2
    assert code(b"nonsense") == 1
    settings.TRUTH_DIR = tmp_path / "nothing"
    assert code(content) == 2


def test_the_page_of_an_entry_offers_its_bundle(scored, client):
    page = client.get(scored.get_absolute_url())
    address = f"/entries/{scored.pk}/bundle.zip"
    assert address in page.content.decode()
    sent = client.get(address)
    assert f"pwm-entry-{scored.pk}.zip" in sent["Content-Disposition"]
    assert Verdict.DIFFERS not in by_field(verify(sent.content)).values()
    reported = make_entry(scored.modality, origin="reported")
    assert client.get(f"/entries/{reported.pk}/bundle.zip").status_code == 404


def test_a_web_server_without_the_key_sends_what_a_worker_signed(
    scored, client, settings, monkeypatch
):
    asked: list[str] = []
    monkeypatch.setattr(bundle.current_app, "send_task", lambda *_, args, **__: asked.append(*args))
    address, key = f"/entries/{scored.pk}/bundle.zip", settings.SIGNING_KEY
    settings.SIGNING_KEY = ""
    first = client.get(address)
    assert first.status_code == 200
    assert first.content == client.get(address).content
    Entry.objects.filter(pk=scored.pk).update(is_listed=True, trust="rerun")
    answer = client.get(address)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert asked == [str(scored.pk)]
    tasks.sign(str(scored.pk))
    assert client.get(address).status_code == 503
    settings.SIGNING_KEY = key
    tasks.sign(str(scored.pk))
    settings.SIGNING_KEY = ""
    manifest, _, _ = bundle.read(client.get(address).content)
    assert manifest["claimed"]["trust"] == "rerun"


def test_what_a_withdrawn_key_signed_is_signed_again(scored, settings):
    _, _, old = bundle.read(bundle.write(scored))
    settings.SIGNING_KEY = OTHER
    assert bundle.read(bundle.write(scored))[2] == old
    default_storage.delete(f"keys/{signing.key_id(old.public_key)}.txt")
    content = bundle.write(scored)
    assert bundle.read(content)[2].public_key != old.public_key
    assert bundle.write(scored) == content


def test_the_site_lists_its_public_keys(scored, client):
    listed = client.get("/.well-known/pwm-bundle-keys.json").json()
    _, _, signature = bundle.read(bundle.write(scored))
    row = {"key_id": signing.key_id(signature.public_key), "public_key": signature.public_key}
    assert row in listed["keys"]
    assert listed["algorithm"] == "Ed25519"


def test_a_bundle_holds_neither_outputs_nor_specs_of_secret_tiers(content):
    manifest, parts, _ = bundle.read(content)
    assert set(parts) == {"manifest.json", "signature.json", "log.txt", "outputs/public.npz"}
    dev = manifest["claimed"]["tiers"]["dev"]
    assert dev["corrected_spec"] == []
    assert set(manifest["computed"]["tiers"]["dev"]) == {"inputs"}
    assert dev["figures"]["psnr"] == round(dev["figures"]["psnr"], 2)
    assert len(dev["outputs"]) == 64


def test_a_bundle_tells_the_days_and_not_the_times_of_jobs_on_secret_tiers(content):
    manifest, parts, _ = bundle.read(content)
    tiers = manifest["claimed"]["tiers"]
    assert re.fullmatch(r"[\d-]{10}", tiers["dev"]["finished_at"])
    assert re.fullmatch(r"[\d-]{10}T[\d:]{8}\+00:00", tiers["public"]["finished_at"])
    lines = parts["log.txt"].decode().splitlines()
    for tier, time in (("dev", ""), ("public", r"T[\d:]{8}\+00:00")):
        mine = [line for line in lines if line.startswith(f"{tier}: ")]
        assert len(mine) > 2
        assert all(re.fullmatch(rf"{tier}: [\d-]{{10}}{time} \w+", line) for line in mine), mine
