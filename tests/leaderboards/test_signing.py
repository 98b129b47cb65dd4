"""Signatures, canonical JSON and the layout of bundles: one spelling, one algorithm, named keys."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
import zipfile

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from leaderboards import archive, canonical_json, signing
from leaderboards.signing import BadSignature, KeyFileError, NoSigningKey, Signature

MINE = "the key of this site, which is long enough for a test"
OTHER = "the key of another site, which is long enough as well"


@pytest.fixture(autouse=True)
def own_storage(settings, tmp_path):
    options = {"location": str(tmp_path / "media")}
    backend = {"BACKEND": "modalities.storage.WholeFileStorage", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"default": backend}
    settings.SIGNING_KEY = MINE


def test_a_signature_fits_what_was_signed_and_nothing_else():
    signature = signing.sign(b"manifest")
    signing.check(b"manifest", signature, signing.accepted())
    for content in (b"Manifest", b"manifest ", b""):
        with pytest.raises(BadSignature, match="does not fit"):
            signing.check(content, signature, signing.accepted())


def test_a_signature_without_the_context_of_bundles_is_refused():
    bare = signing._private_key().sign(b"manifest").hex()
    with pytest.raises(BadSignature, match="does not fit"):
        signing.check(b"manifest", Signature(*signing.published(), bare), signing.accepted())


def test_each_changed_bit_of_a_signature_is_refused():
    signature = signing.sign(b"manifest")
    value = bytes.fromhex(signature.value)
    for bit in range(0, 512, 7):
        wrong = bytearray(value)
        wrong[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BadSignature):
            signing.check(
                b"manifest", Signature(signature.public_key, wrong.hex()), [signature.public_key]
            )


def test_the_key_that_comes_with_a_signature_is_not_trusted(settings):
    settings.SIGNING_KEY = OTHER
    forged = signing.sign(b"manifest")
    default_storage.delete(f"keys/{signing.key_id(forged.public_key)}.txt")
    settings.SIGNING_KEY = MINE
    with pytest.raises(
        BadSignature, match=f"another site: key id {signing.key_id(forged.public_key)}"
    ):
        signing.check(b"manifest", forged, signing.accepted())
    signing.check(b"manifest", forged, [forged.public_key])


def test_a_web_server_knows_the_public_keys_and_cannot_sign(settings):
    old = signing.sign(b"old")
    settings.SIGNING_KEY = OTHER
    new = signing.sign(b"new")
    settings.SIGNING_KEY = ""
    assert set(signing.published()) == {old.public_key, new.public_key}
    signing.check(b"old", old, signing.accepted())
    with pytest.raises(NoSigningKey, match="PWM_SIGNING_KEY is not set here"):
        signing.sign(b"manifest")


def test_a_file_that_is_no_key_under_its_own_name_is_no_key():
    signing.sign(b"manifest")
    default_storage.save("keys/0123456789abcdef.txt", ContentFile(b"0" * 64))
    default_storage.save("keys/note.txt", ContentFile("né".encode()))
    assert len(signing.published()) == 1


def test_keys_are_read_from_digits_from_a_file_and_from_a_sites_list(tmp_path):
    (key,) = signing.published()
    plain, listed = tmp_path / "key.txt", tmp_path / "keys.json"
    plain.write_text(key + "\n")
    listed.write_text(json.dumps(signing.as_json()))
    for given in (key, key.upper(), str(plain), str(listed)):
        assert signing.read_keys(given) == [key]
    (tmp_path / "bad").write_text('{"keys": [{"public_key": 3}]}')
    for given in (key[:-1], str(tmp_path), str(tmp_path / "bad"), str(tmp_path / "none")):
        with pytest.raises(KeyFileError):
            signing.read_keys(given)


def test_keys_pinned_with_the_code_are_accepted(monkeypatch, tmp_path):
    pinned = tmp_path / "site_keys.toml"
    pinned.write_text(f'[[site]]\nurl = "https://pwm.example.org"\nkey = "{"ab" * 32}"\n')
    monkeypatch.setattr(signing, "PINNED", pinned)
    assert signing.accepted() == [*signing.published(), "ab" * 32]


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        '{"a":1, "b":2}',
        '{"b":1,"a":2}',
        '{"a":1.00}',
        '{"a":1e400}',
        '{"a":NaN}',
        '{"a":"\\u0061"}',
        '{"a":"é"}',
        '{"a":1}\n',
        '{"a":-0}',
        "[" * 100_000,
        "",
    ],
)
def test_json_in_another_spelling_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - of any kind
        canonical_json.load(text.encode())


def test_canonical_json_comes_back_as_it_was():
    value = {"é": ["\ud800 \u2028", 0.1, 1e-320, -0.0, 2**255, None, True], "a": {}}
    assert canonical_json.load(canonical_json.dump(value)) == value


PARTS = {
    "manifest.json": b"{}",
    "signature.json": b"{}",
    "log.txt": b"",
    "outputs/dev.npz": b"\x00",
}


def test_the_same_parts_give_the_same_bytes_and_come_back():
    content = archive.pack(PARTS)
    assert archive.pack(dict(reversed(PARTS.items()))) == content
    assert archive.unpack(content) == PARTS


def test_every_python_writes_the_same_bytes():
    """The reader writes a file again to compare it, on whatever Python it has."""
    content = archive.pack(PARTS)
    assert (
        hashlib.sha256(content).hexdigest()
        == "3ea2c26ba68a87fedb1042b0b0749543129b7ef3ec191fad392fe4b699761ce5"
    )


def zipped(*members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the names that are there twice
        for name, content in members:
            made.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no ZIP file"),
        (b"PK\x05\x06", "no ZIP file"),
        (zipped(("log.txt", b"a"), ("log.txt", b"b")), "two of one name"),
        (zipped(("../log.txt", b"a")), "which no bundle has"),
        (zipped(("/etc/passwd", b"a")), "which no bundle has"),
        (zipped(("outputs/../log.txt", b"a")), "which no bundle has"),
        (zipped(("outputs/a/b.npz", b"a")), "which no bundle has"),
        (zipped(("more.txt", b"a")), "which no bundle has"),
        (zipped(("log.txt", b"\0" * 10_000_000), compression=zipfile.ZIP_DEFLATED), "compressed"),
        (zipped(*((f"outputs/{'a' * n}.npz", b"") for n in range(1, 20))), "too many"),
        (zipped(("log.txt", b"a")), "added or changed"),  # with today's date
        (b"more" + archive.pack(PARTS), "added or changed"),
        (archive.pack(PARTS) + b"more", "no ZIP file|added or changed"),
    ],
)
def test_a_file_laid_out_otherwise_is_refused(content, why):
    with pytest.raises(archive.ArchiveError, match=why):
        archive.unpack(content)


def test_a_member_that_claims_another_size_is_refused():
    content = archive.pack({"log.txt": b"12345678"})
    at = content.index(b"PK\x01\x02")
    for offset in (20, 24):  # compressed and whole size, in the central directory
        for size in (4, 9, 2**31):
            lying = bytearray(content)
            lying[at + offset : at + offset + 4] = size.to_bytes(4, "little")
            with pytest.raises(archive.ArchiveError):
                archive.unpack(bytes(lying))


def test_each_changed_byte_is_refused():
    """Whatever zipfile makes of a damaged file, we say it in our words."""
    content = archive.pack({name: part for name, part in PARTS.items() if part})
    for at in range(len(content)):
        for value in (0, 0xFF, content[at] ^ 1):
            if value != content[at]:
                try:
                    parts = archive.unpack(content[:at] + bytes([value]) + content[at + 1 :])
                except archive.ArchiveError:
                    continue
                assert parts != PARTS  # a name within the rules: the manifest knows it not


def test_a_file_larger_than_any_bundle_is_not_opened(monkeypatch):
    monkeypatch.setattr(archive, "LARGEST", 100)
    with pytest.raises(archive.ArchiveError, match="larger than a bundle may be"):
        archive.unpack(archive.pack({"log.txt": b"a" * 100}))
