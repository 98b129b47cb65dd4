"""Check a bundle field by field: compute again what can be, name what rests on the site's word.

The signature comes first (``bundle.read``). Then each leaf of the manifest becomes one row: what it
claims, what was computed again here, and a verdict. Public and standard follow from the repository
alone. Of dev and hidden a bundle has no outputs; only the site can run their baselines again.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from leaderboards import archive, bundle, tells
from leaderboards.bundle import BundleError, Manifest
from leaderboards.models import Kind, ScoreTier, board_of, entry_name
from modalities import physics
from modalities.physics import Array, Spec

from .evidence import data_version, inputs_from, outputs_sha256
from .score import SceneScore, score_tier, summary

# Outputs are kept as float32 and were scored as float64.
AGREES = 1e-6
# Computed from names and hashes that the site claims; an overall score is, if a tier is secret.
RESTS_ON_CLAIMS = re.compile(r"computed\.(name|tiers\.\w+\.inputs)")


class Verdict(StrEnum):
    """What is known of one field."""

    CONFIRMED = "confirmed"
    FOLLOWS = "follows from what is claimed"
    CLAIMED = "claimed by the site, signature valid"
    DIFFERS = "DIFFERS"
    UNCHECKED = "not checked here"


@dataclass(frozen=True)
class Row:
    """One field: what the manifest says, what was computed again, and what follows."""

    field: str
    claimed: Any
    again: Any
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True)
class Unknown:
    """In place of a value that cannot be computed here: why not."""

    why: str


def verify(content: bytes, keys: Iterable[str] | None = None) -> list[Row]:
    """Check every field of a bundle that one of ``keys`` signed; raise BundleError otherwise."""
    manifest, parts, _ = bundle.read(content, keys)
    return rows_of(manifest, parts)


def rows_of(manifest: Manifest, parts: Mapping[str, bytes]) -> list[Row]:
    """Give one row for each leaf of a manifest whose signature and hashes were found good."""
    try:
        again = dict(leaves(_again(manifest, parts)))
    except BundleError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise BundleError("The manifest lacks a field, or has one of another kind.") from error
    secret = [tier for tier in manifest["claimed"]["tiers"] if not tells.is_open(tier)]
    rows = []
    for field, claimed in leaves(manifest):
        if field == "format" or field.startswith("files."):
            rows.append(Row(field, claimed, claimed, Verdict.CONFIRMED))
        elif field.startswith("computed."):
            found = _found(again, field.removeprefix("computed."))
            rests = RESTS_ON_CLAIMS.fullmatch(field) or (field == "computed.score" and secret)
            rows.append(_compared(field, claimed, found, rests_on_claims=bool(rests)))
        else:
            rows.append(Row(field, claimed, None, Verdict.CLAIMED))
    return rows


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """List the leaves of JSON data by their paths, ``a.b.0``; an empty list or object is one."""
    if isinstance(tree, Mapping | list) and tree:
        pairs = tree.items() if isinstance(tree, Mapping) else enumerate(tree)
        for name, branch in pairs:
            yield from leaves(branch, f"{path}.{name}" if path else str(name))
    else:
        yield path, tree


def spec_of(manifest: Manifest) -> Spec:
    """Load the modality that a manifest names; raise BundleError where there is none."""
    key = manifest["claimed"]["modality"]
    if key not in set(physics.keys()):
        raise BundleError(f"The bundle is of a modality {key!r}, which this copy does not have.")
    return physics.load(key)


def outputs_of(tier: str, parts: Mapping[str, bytes]) -> list[Array] | None:
    """Read the reconstructions of a tier, in the order of their names; None if there are none.

    Raise BundleError for a file that cannot be read or unpacks to more than a bundle may hold.
    """
    if f"outputs/{tier}.npz" not in parts:
        return None
    file = io.BytesIO(parts[f"outputs/{tier}.npz"])
    try:
        with zipfile.ZipFile(file) as packed:
            if sum(member.file_size for member in packed.infolist()) > archive.LARGEST:
                raise BundleError(f"The outputs of {tier} unpack to more than a bundle may hold.")
        with np.load(file, allow_pickle=False) as arrays:
            return [physics.double(arrays[name]) for name in sorted(arrays.files)]
    except BundleError:
        raise
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, MemoryError) as error:
        raise BundleError(f"The outputs of {tier} are not arrays that can be read.") from error


def same(claimed: Any, again: Any) -> bool:
    """Compare numbers to ``AGREES`` and everything else exactly."""
    if isinstance(claimed, float) and isinstance(again, float):
        return math.isclose(claimed, again, rel_tol=AGREES, abs_tol=AGREES)
    return type(claimed) is type(again) and bool(claimed == again)


def _compared(field: str, claimed: Any, again: Any, *, rests_on_claims: bool) -> Row:
    if isinstance(again, Unknown):
        return Row(field, claimed, None, Verdict.UNCHECKED, again.why)
    right = Verdict.FOLLOWS if rests_on_claims else Verdict.CONFIRMED
    return Row(field, claimed, again, right if same(claimed, again) else Verdict.DIFFERS)


def _found(again: Mapping[str, Any], field: str) -> Any:
    """Find a field, or the reason why the branch that it is on cannot be computed."""
    while field not in again:
        if "." not in field:
            return None
        field = field.rpartition(".")[0]
        if isinstance(again.get(field), Unknown):
            return again[field]
    return again[field]


def _again(manifest: Manifest, parts: Mapping[str, bytes]) -> dict[str, Any]:
    """Compute ``manifest["computed"]`` again."""
    claimed, computed, spec = manifest["claimed"], manifest["computed"], spec_of(manifest)
    tiers = claimed["tiers"]
    boards = {str(board_of(tier)) for tier in tiers}
    board = boards.pop() if len(boards) == 1 else None
    results = {tier: computed["tiers"][tier] | tiers[tier] for tier in tiers}
    told = {tier: result["figures"]["score"] for tier, result in results.items()}
    return {
        "board": board,
        "name": board and entry_name(claimed["method"]["name"], board, claimed["variant"]),
        "score": board and bundle.overall(board, told),
        "tiers": {tier: _tier(spec, tier, result, parts) for tier, result in results.items()},
    }


def _tier(
    spec: Spec, tier: str, result: Mapping[str, Any], parts: Mapping[str, bytes]
) -> dict[str, Any]:
    what = result["upload"] if result["kind"] == Kind.FILE else result["program"]
    versions = result["data_version"], result["metrics_version"]
    found: dict[str, Any] = {"inputs": inputs_from(tier, versions[0], what, versions[1])}
    if not tells.is_open(tier):
        return found
    x_hats = outputs_of(tier, parts)
    if x_hats is None:
        gone = Unknown("its outputs are not in the bundle.")
        return found | dict.fromkeys(("outputs", "figures", "data_version", "seed"), gone)
    found["outputs"] = outputs_sha256(x_hats)
    if other := _other_versions(spec, tier, *versions):
        names = ("figures", "data_version", "metrics_version", "seed")
        return found | dict.fromkeys(names, Unknown(other))
    return found | {
        "data_version": versions[0],
        "metrics_version": physics.METRICS_VERSION,
        "seed": bundle.seed_of(spec, tier, versions[0]),
        "figures": _figures(spec, tier, x_hats, result),
    }


def _other_versions(spec: Spec, tier: str, data: str, metrics: str) -> str:
    """Say why a result cannot be scored here as it was there; empty where it can."""
    if data != data_version(spec, tier):
        return f"it is of data {data}, and this copy makes {data_version(spec, tier)}."
    if metrics != physics.METRICS_VERSION:
        return f"it was scored by metrics {metrics}, and this copy has {physics.METRICS_VERSION}."
    return ""


def _figures(spec: Spec, tier: str, x_hats: Sequence[Array], result: Mapping[str, Any]) -> Any:
    try:
        if tier == ScoreTier.STANDARD:
            scored = summary([_standard(spec, i, x_hat) for i, x_hat in enumerate(x_hats)])
        else:
            specs, intervals = result["corrected_spec"], result["spec_intervals"]
            scored = score_tier(spec, tier, x_hats, specs, intervals)
    except FileNotFoundError:
        return Unknown(f"the data of the {tier} tier are not here; run build_datasets first.")
    except (ValueError, LookupError):
        return None  # outputs or specs that nothing can score differ from any figure
    return tells.to_everybody(tier, scored.as_json())


def _standard(spec: Spec, index: int, x_hat: Array) -> SceneScore:
    """Score one scene of the standard board, whose forward model is the nominal one."""
    x, H = physics.scene(spec, index, 0), physics.forward(spec)
    y = physics.scenarios.measurement(spec, index, "I", 0)
    psnr, ssim = physics.psnr(x, x_hat), physics.ssim(x, x_hat, spec.channels)
    return SceneScore(
        psnr=psnr,
        ssim=ssim,
        consistency=physics.consistency(y, H, x_hat),
        ceiling=physics.consistency(y, H, x),
        score=physics.standard_score(psnr, ssim),
        spec_error={},
    )
