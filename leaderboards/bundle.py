"""The evidence of an entry in one file, signed by the site, which anyone can take away and check.

A bundle is a ZIP file: ``manifest.json``, ``signature.json`` (Ed25519, over the bytes of the
manifest), ``log.txt`` (what happened to the jobs), and ``outputs/<tier>.npz`` (reconstructions) for
the tiers whose truth they would not reveal. The manifest has two halves: ``computed`` is what
``leaderboards.scoring.verify`` computes again, ``claimed`` what a reader has to believe the site.
``files`` are the SHA-256 of all other members.

Only a process with the signing key can sign; in production these are workers. What they signed is
kept in the private storage, and web servers send it as long as it says what the rows say.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django.core.files.base import ContentFile

from leaderboards import archive, canonical_json, signing, tells
from leaderboards.models import Attempt, Entry, Kind, ScoreTier, tiers_of
from leaderboards.models.attempt import private_storage
from leaderboards.signing import Signature
from modalities import datasets, physics
from modalities.models import TierName

FORMAT = 3
MANIFEST, SIGNATURE, LOG = "manifest.json", "signature.json", "log.txt"
SIGNATURE_TEXT = re.compile(
    rb'\{"public_key":"(?P<public_key>[0-9a-f]{64})","signature":"(?P<value>[0-9a-f]{128})"\}'
)
TASK, QUEUE = "leaderboards.tasks.sign", "scoring"
RETRY_AFTER = 5  # seconds
# Bundles of earlier formats end in a checksum that anybody can compute.
UNSIGNED = re.compile(rb"sha256:[0-9a-f]{64}\Z")

SECTIONS = {"format", "claimed", "computed", "files", "signed"}

log = logging.getLogger(__name__)
Manifest = dict[str, Any]


class BundleError(ValueError):
    """The file is not a whole bundle, signed by a key that is accepted; the message says why."""


def write(entry: Entry) -> bytes:
    """Pack the evidence of a measured entry; outputs of open tiers go along.

    Raise NoSigningKey where it is not signed yet and this process cannot: see ``ask_to_sign``.
    """
    scores = entry.tier_scores.select_related("attempt__repeats", "attempt__modality")
    attempts = {score.tier: score.attempt for score in scores if score.attempt}
    parts = {LOG: _log(attempts).encode()}
    for tier, attempt in attempts.items():
        if tells.is_open(tier) and attempt.arrays:
            with attempt.arrays.open("rb") as file:
                parts[f"outputs/{tier}.npz"] = file.read()
    facts = _facts(entry, attempts, parts)
    manifest, signature = _kept(entry, facts) or _sign(entry, facts)
    return archive.pack(parts | {MANIFEST: manifest, SIGNATURE: _spelled(signature)})


def read(
    content: bytes, keys: Iterable[str] | None = None
) -> tuple[Manifest, dict[str, bytes], Signature]:
    """Give manifest, parts and signature of a bundle that one of ``keys`` signed.

    keys: public keys, as 64 hexadecimal digits; without, those that are accepted here. Nothing of
    the manifest is looked at before its signature is found to be good. Raise BundleError.
    """
    if UNSIGNED.search(content[-71:]):
        raise BundleError(
            "The file is a bundle of an earlier format, which was not signed: anybody could have "
            "made it. Download it again."
        )
    try:
        parts = archive.unpack(content)
        signature = _signature(parts)
        signing.check(parts[MANIFEST], signature, signing.accepted() if keys is None else keys)
        manifest = canonical_json.load(parts[MANIFEST])
    except ValueError as error:
        raise BundleError(str(error)) from error
    _refuse_odd(manifest)
    if manifest["signed"]["key_id"] != signing.key_id(signature.public_key):
        raise BundleError("The manifest names another key than the one that signed it.")
    listed = {MANIFEST, SIGNATURE, *manifest["files"]}
    if odd := sorted(listed ^ parts.keys()):
        raise BundleError(f"Manifest and file do not hold the same members: {', '.join(odd)}.")
    for name, sha256 in manifest["files"].items():
        if hashlib.sha256(parts[name]).hexdigest() != sha256:
            raise BundleError(f"{name} is not the file that the manifest lists.")
    return manifest, parts, signature


def ask_to_sign(entry: Entry) -> None:
    """Ask a worker, which has the key, to sign the evidence of ``entry`` as it is now.

    However many visitors ask for one bundle, one message in a few seconds is enough.
    """
    if not cache.add(f"sign-{entry.pk}", "asked", timeout=RETRY_AFTER):
        return
    try:
        current_app.send_task(TASK, args=[str(entry.pk)], queue=QUEUE, retry=False)
    except Exception as error:  # any error of the transport
        log.warning("The broker did not take the message to sign %s: %s.", entry.pk, error)


def overall(board: str, told: Mapping[str, float]) -> float | None:
    """Give the score of a board from what its tiers tell; None where one is missing."""
    tiers = tiers_of(board)
    if any(tier not in told for tier in tiers):
        return None
    scores = [told[tier] for tier in tiers]
    return scores[0] if len(scores) == 1 else tells.overall(scores)


def seed_of(spec: physics.Spec, tier: str, data_version: str) -> str | None:
    """Give the seed of an open tier's scenes and noise, as decimal digits.

    None for data that are not today's: what they were drawn with is no longer known here.
    """
    if data_version != datasets.version_of(spec, TierName.PUBLIC):
        return None
    return "0" if tier == ScoreTier.STANDARD else str(datasets.draw(spec, tier).seed)


def _refuse_odd(manifest: Any) -> None:
    """Raise BundleError for a manifest that is not made as ours are; the rest relies on it."""
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleError(f"The bundle is not of format {FORMAT}; another version of PWM made it.")
    try:
        halves = manifest["claimed"]["tiers"].keys(), manifest["computed"]["tiers"].keys()
        is_ours = halves[0] == halves[1] and set(halves[0]) <= set(ScoreTier.values)
        is_ours = is_ours and manifest.keys() == SECTIONS
    except (LookupError, TypeError, AttributeError):
        is_ours = False
    if not is_ours:
        raise BundleError("The manifest is signed and is not made as those of a bundle are.")


def _facts(entry: Entry, attempts: Mapping[str, Attempt], parts: Mapping[str, bytes]) -> Manifest:
    """Say all that is known of an entry: the manifest, but for who signs it and when."""
    told = {tier: tells.to_everybody(tier, a.result) for tier, a in attempts.items()}
    scores = {tier: figures["score"] for tier, figures in told.items()}
    claimed: Manifest = {}
    computed: Manifest = {}
    for tier, attempt in attempts.items():
        result = {
            "figures": told[tier],
            "outputs": attempt.outputs_sha256,
            "data_version": attempt.data_version,
            "metrics_version": attempt.metrics_version,
        }
        is_open = tells.is_open(tier)
        claimed[tier] = _provenance(attempt) | ({} if is_open else result)
        computed[tier] = {"inputs": attempt.inputs_sha256}
        if is_open:
            seed = seed_of(entry.modality.spec, tier, attempt.data_version)
            computed[tier] |= result | {"seed": seed}
    return {
        "format": FORMAT,
        "claimed": _standing(entry) | {"tiers": claimed},
        "computed": {
            "board": entry.board,
            "name": entry.name,
            "score": overall(entry.board, scores),
            "tiers": computed,
        },
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()},
    }


def _standing(entry: Entry) -> Manifest:
    """Say what rests on the site's word alone: whose entry it is, and what was decided about it."""
    return {
        "entry": str(entry.pk),
        "modality": entry.modality.key,
        "method": {
            "slug": entry.method.slug,
            "name": entry.method.name,
            "physics_name": entry.method.physics_name,
        },
        "variant": entry.variant,
        "trust": entry.trust,
        "is_listed": entry.is_listed,
        "certificates": [
            {
                "attempt": str(certificate.attempt_id),
                "second": str(certificate.second_id),
                "second_outputs": certificate.second_outputs_sha256,
            }
            for certificate in entry.certificates()
        ],
    }


def _provenance(attempt: Attempt) -> Manifest:
    """Say where a result comes from; a secret tier keeps its specs: one of the variants is the
    truth, and anybody's is a guess at it."""
    first, tier = attempt.first, attempt.tier
    is_told = tells.is_open(tier) and tier != ScoreTier.STANDARD
    return {
        "attempt": str(attempt.pk),
        "kind": first.kind,
        "finished_at": attempt.finished_at and tells.when(tier, attempt.finished_at).isoformat(),
        "program": attempt.program_sha256,
        "upload": first.sha256 if first.kind == Kind.FILE else "",
        "environment": attempt.environment,
        "environment_sha256": attempt.environment_sha256,
        "corrected_spec": attempt.corrected_spec if is_told else [],
        "spec_intervals": attempt.spec_intervals if is_told else [],
    }


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _log(attempts: Mapping[str, Attempt]) -> str:
    lines = []
    for tier, attempt in attempts.items():
        for event in attempt.events.all():
            lines.append(f"{tier}: {tells.when(tier, event.at).isoformat()} {event.event}")
    return "\n".join(lines) + "\n"


def _sign(entry: Entry, facts: Manifest) -> tuple[bytes, Signature]:
    """Sign the facts as of now, and keep that for those who cannot sign."""
    signed = {
        "site": settings.PWM_SITE_URL,
        "at": _utc(datetime.now(UTC)),
        "key_id": signing.own_key_id(),
    }
    manifest = canonical_json.dump(facts | {"signed": signed})
    signature = signing.sign(manifest)
    kept = json.dumps({"manifest": manifest.decode(), "signature": _spelled(signature).decode()})
    place = _place(entry, facts)
    private_storage().delete(place)  # signed by a key that was withdrawn
    private_storage().save(place, ContentFile(kept.encode()))
    return manifest, signature


def _kept(entry: Entry, facts: Manifest) -> tuple[bytes, Signature] | None:
    """Read what was signed of just these facts by a key that the site still publishes."""
    try:
        with private_storage().open(_place(entry, facts)) as file:
            kept = json.loads(file.read())
    except FileNotFoundError:
        return None
    manifest = kept["manifest"].encode()
    signature = _signature({SIGNATURE: kept["signature"].encode(), MANIFEST: manifest})
    try:
        signing.check(manifest, signature, signing.published())
    except signing.BadSignature:
        return None
    return manifest, signature


def _place(entry: Entry, facts: Manifest) -> str:
    """Name the file of a signature by what was signed, so that new facts get another one."""
    return f"signed/{entry.pk}/{hashlib.sha256(canonical_json.dump(facts)).hexdigest()}.json"


def _spelled(signature: Signature) -> bytes:
    return canonical_json.dump({"public_key": signature.public_key, "signature": signature.value})


def _signature(parts: Mapping[str, bytes]) -> Signature:
    found = SIGNATURE_TEXT.fullmatch(parts.get(SIGNATURE, b""))
    if MANIFEST not in parts or found is None:
        raise BundleError("The file has no manifest with a signature: it is not a bundle.")
    return Signature(found["public_key"].decode(), found["value"].decode())
