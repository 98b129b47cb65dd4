"""Results that a source reported: from ``published/<key>.toml`` to rows, never marked as ours.

Everything that the formulas can recompute is recomputed. A file that disagrees is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from modalities import physics, prose
from modalities.models import Modality
from modalities.physics.scoring import implied_consistency
from modalities.physics.tables import CatalogueError, Table, read_toml
from modalities.sync import put

from .models import (
    Board,
    Checkpoint,
    Entry,
    Family,
    Method,
    Origin,
    TierScore,
    Trust,
    Variant,
)

# Addresses under /methods/ that are no method's.
RESERVED = {"register"}
PUBLISHED = Path(__file__).resolve().parent / "published"
MEDALS = {1: "gold", 2: "silver", 3: "bronze"}

Fields = dict[str, Any]


@dataclass(frozen=True)
class Result:
    """One row of a source's board; scores: {tier: {"score", "psnr", "ssim"}}, as printed."""

    method: str
    name: str
    board: Board
    rank: int
    score: float
    source: str
    label: str
    scores: dict[str, Fields]


@dataclass(frozen=True)
class Facts:
    """On what a source measured, and what is known about its figures."""

    dataset: str = ""
    html: str = ""


@dataclass(frozen=True)
class Report:
    """All that one source reported about one modality."""

    key: str
    facts: Facts
    methods: list[Fields]
    results: list[Result]


def publish(folder: Path = PUBLISHED) -> list[str]:
    """Make the reported rows agree with the files; give the keys of the modalities that changed.

    Raise CatalogueError for a wrong file; the database is then as it was.
    """
    reports = [read(path) for path in sorted(folder.glob("*.toml"))]
    _check_slugs(reports)
    with transaction.atomic():
        changed = [report.key for report in reports if write(report)]
        Modality.objects.filter(key__in=changed).touch()
    return changed


@cache
def facts_of(key: str) -> Facts:
    """Give what a modality's published file says of its source; empty where there is no file."""
    path = PUBLISHED / f"{key}.toml"
    return read(path).facts if path.exists() else Facts()


def read(path: Path) -> Report:
    """Read one file; raise CatalogueError at the first mistake."""
    top = read_toml(path)
    key = top.text("key")
    if key != path.stem:
        top.fail("key", f"the file's own name, '{path.stem}'")
    methods = [_method(row) for row in top.rows("method")]
    names = {m["slug"]: m["name"] for m in methods}
    standard, challenge = top.rows("standard"), top.rows("challenge")
    report = Report(
        key=key,
        facts=Facts(
            dataset=top.text("dataset", 200),
            html=prose.inline(top.text("source"), f"{path.name}: source"),
        ),
        methods=methods,
        results=[_standard(row, names) for row in standard]
        + [_challenge(row, names) for row in challenge],
    )
    top.done()
    for name, rows in (("standard", standard), ("challenge", challenge)):
        _check_order(top, name, [row.data for row in rows])
    return report


def write(report: Report) -> bool:
    """Write one report's rows; say whether anything differed from what was there."""
    modality = Modality.objects.filter(key=report.key).first()
    if modality is None:
        raise CatalogueError(
            f"{report.key}.toml: key: the catalogue has no modality '{report.key}'."
        )
    methods, changed = {}, False
    for fields in report.methods:
        methods[fields["slug"]], differs = _put_method(fields, modality)
        changed |= differs
    mine = Entry.objects.for_modality(modality).reported()
    kept = []
    for result in report.results:
        entry, differs = _put_entry(result, modality, methods[result.method])
        kept.append(entry.pk)
        changed |= differs
    return _withdraw(mine.exclude(pk__in=kept)) or changed


def _withdraw(gone: QuerySet[Entry]) -> bool:
    """Delete what the source reports no longer; what was decided about stays, off its board."""
    decided = list(gone.filter(decision__isnull=False, is_listed=True))
    for entry in decided:
        entry.is_listed = False
        entry.record_version("Its source reports it no longer.")
    Entry.objects.filter(pk__in=[entry.pk for entry in decided]).update(is_listed=False)
    deleted, _ = gone.filter(decision__isnull=True).delete()
    return bool(decided or deleted)


def _put_method(fields: Fields, modality: Modality) -> tuple[Method, bool]:
    if Method.objects.filter(slug=fields["slug"], owner__isnull=False).exists():
        raise CatalogueError(
            f"{modality.key}.toml: method.slug: somebody has registered a method "
            f"'{fields['slug']}'; choose another slug."
        )
    name = fields["physics_name"]
    if name and name not in physics.METHODS[modality.key]:
        raise CatalogueError(f"{modality.key}.toml: method.physics_name: there is no '{name}'.")
    ours = Method.objects.filter(physics_name=name, is_ours=True).exclude(slug=fields["slug"])
    old = ours.first() if name else None
    if old:
        ours.update(physics_name="")
    method, changed = put(Method, {"slug": fields["slug"]}, fields | {"is_ours": False})
    if old:
        _hand_over(old, method)
    if not method.modalities.contains(modality):
        method.modalities.add(modality)
        changed = True
    return method, changed


def _hand_over(old: Method, method: Method) -> None:
    """Give the published method the results of the row that the physics had made for it."""
    for relation in Method._meta.related_objects:
        if relation.one_to_many:
            rows = relation.related_model._base_manager.filter(**{relation.field.name: old})
            rows.update(**{relation.field.name: method})
    method.modalities.add(*old.modalities.all())
    old.delete()


def _put_entry(result: Result, modality: Modality, method: Method) -> tuple[Entry, bool]:
    key = {
        "modality": modality,
        "board": result.board,
        "origin": Origin.REPORTED,
        "method": method,
        "variant": Variant.OWN,
    }
    values = {
        "trust": Trust.REPORTED,
        "source": result.source,
        "source_name": result.name,
        "source_label": result.label,
        "source_rank": result.rank,
        "score": result.score,
    }
    entry, changed = put(Entry, key, values)
    for tier, scores in result.scores.items():
        changed |= put(TierScore, {"entry": entry, "tier": tier}, scores)[1]
    return entry, changed


def _method(row: Table) -> Fields:
    slug = row.matching("slug", r"[a-z0-9]+(-[a-z0-9]+)*", "lower case, digits and hyphens")
    if slug in RESERVED:
        row.refuse("slug", f"'{slug}' is the address of a page of its own.")
    description = row.text("description")
    fields = {
        "slug": slug,
        "name": row.text("name", 80),
        "family": row.choice("family", *Family.values),
        "description": description,
        "description_html": prose.inline(description, f"{row.filename}: {row.where}.description"),
        "citation": row.text("citation"),
        "year": row.optional_integer("year", 1800, 2100),
        "checkpoint": row.choice("checkpoint", Checkpoint.NOT_NEEDED, Checkpoint.UNAVAILABLE),
        "physics_name": row.optional_text("physics_name", 60),
    }
    row.done()
    return fields


def _standard(row: Table, names: dict[str, str]) -> Result:
    score, psnr, ssim = _printed(row)
    computed = round(physics.standard_score(psnr, ssim), 3)
    if abs(computed - score) > 0.0005:
        row.refuse("score", f"PSNR and SSIM give {computed:.3f}, the file says {score:.3f}.")
    scores = {"standard": {"score": score, "psnr": psnr, "ssim": ssim}}
    return _result(row, names, Board.STANDARD, score, scores)


def _challenge(row: Table, names: dict[str, str]) -> Result:
    scores = {tier: _tier(row.table(tier)) for tier in physics.TIERS}
    score = row.number("score", 0, 1)
    computed = physics.overall_score(*(scores[t]["score"] for t in physics.TIERS))
    # Four figures rounded to three decimals leave at most 0.001 between them.
    if computed is None or abs(computed - score) > 0.001 + 1e-9:
        row.refuse("score", f"the three tiers give {computed:.3f}, the file says {score:.3f}.")
    return _result(row, names, Board.CHALLENGE, score, scores)


def _tier(cell: Table) -> Fields:
    score, psnr, ssim = _printed(cell)
    cell.done()
    consistency = implied_consistency(score, psnr, ssim)
    if not 0.0 <= consistency <= 1.0:
        cell.refuse(
            "score",
            f"PSNR and SSIM leave a consistency of {consistency:.3f}, which lies outside [0, 1].",
        )
    return {"score": score, "psnr": psnr, "ssim": ssim}


def _printed(row: Table) -> tuple[float, float, float]:
    return row.number("score", 0, 1), row.number("psnr", 0, 200), row.number("ssim", -1, 1)


def _result(
    row: Table, names: dict[str, str], board: Board, score: float, scores: dict[str, Fields]
) -> Result:
    method = row.text("method")
    if method not in names:
        row.refuse("method", f"the file has no method '{method}'.")
    result = Result(
        method=method,
        name=row.text("name", 120) if board == Board.CHALLENGE else names[method],
        board=board,
        rank=row.integer("rank", 1, 10_000),
        score=score,
        source=row.text("source", 200),
        label=row.text("label", 40),
        scores=scores,
    )
    _check_medal(row, result.rank)
    row.done()
    return result


def _check_medal(row: Table, rank: int) -> None:
    if (medal := row.optional_text("medal")) and medal != MEDALS.get(rank):
        row.refuse("medal", f"rank {rank} has {MEDALS.get(rank, 'no medal')}, not {medal}.")


def _check_order(top: Table, board: str, rows: list[Fields]) -> None:
    if [row["rank"] for row in rows] != list(range(1, len(rows) + 1)):
        top.refuse(board, "ranks run from 1 without gaps, in the order of the file.")
    scores = [row["score"] for row in rows]
    if scores != sorted(scores, reverse=True):
        top.refuse(board, "a higher rank has a lower score.")
    if len({row["method"] for row in rows}) != len(rows):
        top.refuse(board, "a method is there twice.")


def _check_slugs(reports: list[Report]) -> None:
    seen: dict[str, str] = {}
    for report in reports:
        for method in report.methods:
            other = seen.setdefault(method["slug"], report.key)
            if other != report.key:
                raise CatalogueError(
                    f"{report.key}.toml: method.slug: '{method['slug']}' is also in {other}.toml."
                )
        if len({m["slug"] for m in report.methods}) != len(report.methods):
            raise CatalogueError(f"{report.key}.toml: method.slug: a slug is there twice.")
