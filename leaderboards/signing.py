"""The site's signature (Ed25519, RFC 8032) under its bundles, and the public keys it goes with.

The private key follows from PWM_SIGNING_KEY, which in production only workers have. Each process
that signs publishes its public key in the site's storage, where web servers find it. Keys of other
sites that this copy accepts are in ``site_keys.toml``. A key is named by its id: the first 16
hexadecimal digits of the SHA-256 of its 32 bytes. The algorithm is fixed; no file can choose it.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

ALGORITHM = "Ed25519"
# Signed before the content, so that no signature made for another purpose fits a bundle.
CONTEXT = b"PWM bundle, format 3\n"
FOLDER = "keys"
PINNED = Path(__file__).with_name("site_keys.toml")
HEX_KEY = re.compile(r"[0-9a-f]{64}")


class NoSigningKey(Exception):
    """This process has no key to sign with."""


class KeyFileError(ValueError):
    """What was given is no public key; the message says what was expected."""


class BadSignature(ValueError):
    """The signature is not that of an accepted key; the message says whose it is not."""


@dataclass(frozen=True)
class Signature:
    """A signature (128 hexadecimal digits) and the public key (64) that it claims to be by."""

    public_key: str
    value: str


def sign(content: bytes) -> Signature:
    """Sign ``content`` and publish the public key; raise NoSigningKey where there is none."""
    public = _own_public_key()
    _publish(public)
    return Signature(public, _private_key().sign(CONTEXT + content).hex())


def own_key_id() -> str:
    """Name the key that this process signs with; raise NoSigningKey where there is none."""
    return key_id(_own_public_key())


def check(content: bytes, signature: Signature, keys: Iterable[str]) -> None:
    """Raise BadSignature unless one of ``keys`` signed ``content``.

    The key that comes with a signature only names it: anybody can make one.
    """
    if signature.public_key not in set(keys):
        raise BadSignature(
            f"It is signed by another site: key id {key_id(signature.public_key)} is not among the "
            "keys accepted here. If you trust that site, get its key from the site itself and "
            "give it with --key."
        )
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature.public_key))
    try:
        public.verify(bytes.fromhex(signature.value), CONTEXT + content)
    except InvalidSignature:
        raise BadSignature(
            f"The signature of key {key_id(signature.public_key)} does not fit the manifest: "
            "the manifest was changed, or never signed by that key."
        ) from None


def key_id(public_key: str) -> str:
    """Name a public key, which is given as 64 hexadecimal digits."""
    return hashlib.sha256(bytes.fromhex(public_key)).hexdigest()[:16]


def accepted() -> list[str]:
    """List the keys whose signatures count here: this site's, and those pinned with the code."""
    return list(dict.fromkeys([*published(), *pinned()]))


def published() -> list[str]:
    """List the public keys of this site, those that it used to sign with included."""
    found = []
    if settings.SIGNING_KEY:
        found.append(_own_public_key())
    try:
        names = sorted(default_storage.listdir(FOLDER)[1])
    except FileNotFoundError:
        names = []
    for name in names:
        with default_storage.open(f"{FOLDER}/{name}") as file:
            text = file.read().decode("ascii", "replace").strip()
        if HEX_KEY.fullmatch(text) and name == _name(text):
            found.append(text)
    return list(dict.fromkeys(found))


def pinned() -> list[str]:
    """List the keys of other sites that ``site_keys.toml`` names."""
    sites = tomllib.loads(PINNED.read_text(encoding="utf-8")).get("site", [])
    return [_key(site["key"], PINNED.name) for site in sites]


def read_keys(given: str) -> list[str]:
    """Read public keys from 64 hexadecimal digits, or from a file with them or with a site's list.

    Raise KeyFileError for anything else.
    """
    if HEX_KEY.fullmatch(given.lower()):
        return [given.lower()]
    try:
        text = Path(given).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise KeyFileError(
            f"{given} is neither a public key (64 hexadecimal digits) nor a file with one."
        ) from error
    if HEX_KEY.fullmatch(text.lower()):
        return [text.lower()]
    try:
        listed = [row["public_key"] for row in json.loads(text)["keys"]]
    except (ValueError, KeyError, TypeError) as error:
        raise KeyFileError(
            f"{given} holds neither 64 hexadecimal digits nor a site's list of keys."
        ) from error
    return [_key(key, given) for key in listed]


def as_json() -> dict[str, object]:
    """Give the site's public keys as its pages and its API list them."""
    rows = [{"key_id": key_id(key), "public_key": key} for key in published()]
    return {"algorithm": ALGORITHM, "keys": rows}


def _key(key: object, where: str) -> str:
    if not isinstance(key, str) or not HEX_KEY.fullmatch(key):
        raise KeyFileError(f"{where}: a public key is 64 hexadecimal digits, got {key!r}.")
    return key


def _private_key() -> Ed25519PrivateKey:
    if not settings.SIGNING_KEY:
        raise NoSigningKey(
            "PWM_SIGNING_KEY is not set here, so nothing can be signed. Workers of the queue "
            "'scoring' must have it, all with the same value; web servers do not."
        )
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"PWM bundles, Ed25519")
    return Ed25519PrivateKey.from_private_bytes(derive.derive(settings.SIGNING_KEY.encode()))


def _own_public_key() -> str:
    return _private_key().public_key().public_bytes_raw().hex()


def _publish(public_key: str) -> None:
    if not default_storage.exists(_name_in_storage(public_key)):
        default_storage.save(_name_in_storage(public_key), ContentFile(public_key.encode()))


def _name_in_storage(public_key: str) -> str:
    return f"{FOLDER}/{_name(public_key)}"


def _name(public_key: str) -> str:
    return f"{key_id(public_key)}.txt"
