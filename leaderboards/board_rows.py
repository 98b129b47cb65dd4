"""What a board shows of an entry: cells and rows, ranked, with every number already a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from django.urls import reverse

from modalities.figures import MISSING, fixed, interval

from . import tells
from .models import (
    Checkpoint,
    Family,
    Origin,
    ScoreTier,
    Trust,
    entry_name,
    is_reference,
)
from .uncertainty import SAME

GROUP_SCORES = ("score_home", "score_away")
MEDALS = {1: "gold", 2: "silver", 3: "bronze"}

# An entry, its cells, and the score that ranks it.
Scored = tuple[Any, tuple["Cell", ...], float | None]


@dataclass(frozen=True, slots=True)
class Cell:
    """One entry's result on one tier; psnr in dB. Texts are what pages print."""

    tier: str
    score: float | None = None
    score_home: float | None = None
    score_away: float | None = None
    score_low: float | None = None
    score_high: float | None = None
    psnr: float | None = None
    ssim: float | None = None
    consistency: float | None = None
    cpu_seconds: float | None = None
    peak_memory_mb: float | None = None
    score_text: str = MISSING
    home_text: str = MISSING
    away_text: str = MISSING
    interval_text: str = ""
    psnr_text: str = MISSING
    ssim_text: str = MISSING
    consistency_text: str = MISSING


@dataclass(frozen=True, slots=True)
class Row:
    """One row of one board.

    rank: None for references and incomplete entries; rank_text prints it. medal: gold, silver,
    bronze or "". score: that of the board; score_home and score_away: the same over the scenes of
    one group, where every tier of the board has some. cells: one for the standard board and for a
    tier's own, three on the challenge board. anchor: the row's id on its page.
    """

    entry: str
    anchor: str
    url: str
    rank: int | None
    rank_text: str
    rank_low: int | None
    rank_high: int | None
    rank_interval_text: str
    medal: str
    name: str
    method: str
    method_slug: str
    method_url: str
    family: str
    family_label: str
    score: float | None
    score_home: float | None
    score_away: float | None
    score_low: float | None
    score_high: float | None
    score_text: str
    home_text: str
    away_text: str
    interval_text: str
    cells: tuple[Cell, ...]
    origin: str
    trust: str
    trust_label: str
    source: str
    source_label: str
    checkpoint: str
    checkpoint_label: str
    variant: str
    is_reference: bool
    is_complete: bool
    is_above_true_spec: bool

    @property
    def cell(self) -> Cell:
        """The only cell of a standard row or of a row of a tier's board."""
        return self.cells[0]

    @property
    def psnr(self) -> float | None:
        return self.cells[0].psnr

    @property
    def ssim(self) -> float | None:
        return self.cells[0].ssim

    @property
    def psnr_text(self) -> str:
        return self.cells[0].psnr_text

    @property
    def ssim_text(self) -> str:
        return self.cells[0].ssim_text


def has_groups(rows: Iterable[Row]) -> bool:
    """Tell whether a board shows scores at home and away: some row has been scored on both."""
    return any(row.score_away is not None for row in rows)


def cell(tier_name: str, origin: str, values: Mapping[str, float | None]) -> Cell:
    """Make the cell of a tier from the raw fields of ``Cell``."""
    # Sources print the PSNR of the standard board to 0.1 dB; more digits would be invented.
    digits = 1 if (tier_name, origin) == (ScoreTier.STANDARD, Origin.REPORTED) else 2
    texts = {
        "score_text": fixed(values["score"], 3),
        "home_text": fixed(values["score_home"], 3),
        "away_text": fixed(values["score_away"], 3),
        "interval_text": interval(values["score_low"], values["score_high"]),
        "psnr_text": fixed(values["psnr"], digits),
        "ssim_text": fixed(values["ssim"], 3),
        "consistency_text": fixed(values["consistency"], 3),
    }
    return Cell(tier_name, **values, **texts)  # type: ignore[arg-type]


def name_of(entry: Any) -> str:
    """Name an entry as it was read for a board."""
    return entry_name(entry.method__name, entry.board, entry.variant, entry.source_name)


def ranked(scored: Sequence[Scored], by_tier: bool, best_method: str) -> list[Row]:
    """Give each row its rank: one more than the number of better ones.

    best_method: the name in the physics of the modality's best, whose nominal run is a reference.
    """
    references = [_is_reference(entry, best_method) for entry, _, _ in scored]
    rows = list(zip(scored, references, strict=True))
    ranks = _ranks([score for (_, _, score), is_ref in rows if score is not None and not is_ref])
    sharing = Counter(
        ranks.get(score) for (_, _, score), is_ref in rows if score is not None and not is_ref
    )
    made = []
    for (entry, cells, score), is_ref in rows:
        rank = ranks.get(score) if score is not None and not is_ref else None
        made.append(_row(entry, cells, score, rank, sharing[rank] - 1, by_tier, is_ref))
    return made


def _is_reference(entry: Any, best_method: str) -> bool:
    is_best = entry.method__physics_name == best_method
    return entry.origin == Origin.MEASURED and is_reference(
        entry.board, entry.variant, is_best=is_best
    )


def _ranks(values: list[float]) -> dict[float, int]:
    """Rank descending values; those that differ by rounding only share a rank."""
    ranks: dict[float, int] = {}
    for i, value in enumerate(values):
        same = i > 0 and abs(values[i - 1] - value) <= SAME
        ranks.setdefault(value, ranks[values[i - 1]] if same else i + 1)
    return ranks


def _medal(entry: Any, rank: int | None, tied: int) -> str:
    """Give a measured entry its medal only when nobody ranked below it may be ahead of it."""
    if rank is None or rank not in MEDALS:
        return ""
    if entry.origin == Origin.REPORTED or entry.rank_high == rank + tied:
        return MEDALS[rank]
    return ""


def _overall(scores: list[float | None]) -> float | None:
    """Give the board's score over one group from those of its tiers, as exact as they are told."""
    known = [score for score in scores if score is not None]
    if len(known) < len(scores):
        return None
    return known[0] if len(known) == 1 else tells.overall(known)


def _row(
    entry: Any,
    cells: tuple[Cell, ...],
    score: float | None,
    rank: int | None,
    tied: int,
    by_tier: bool,
    is_ref: bool,
) -> Row:
    where = cells[0].tier if by_tier else entry.board
    ends = cells[0] if by_tier else entry
    low, high = ends.score_low, ends.score_high
    home, away = (_overall([getattr(c, part) for c in cells]) for part in GROUP_SCORES)
    sure = not by_tier and rank is not None and entry.rank_low is not None
    return Row(
        entry=str(entry.id),
        anchor=f"{where}-{entry.origin}-{str(entry.id)[:8]}",
        url=_entry_url().replace(_NOBODY, str(entry.id)),
        rank=rank,
        rank_text=str(rank) if rank else MISSING,
        rank_low=entry.rank_low if sure else None,
        rank_high=entry.rank_high if sure else None,
        rank_interval_text=f"{entry.rank_low}–{entry.rank_high}" if sure else "",
        medal="" if by_tier else _medal(entry, rank, tied),
        name=name_of(entry),
        method=entry.method__name,
        method_slug=entry.method__slug,
        method_url=_method_url().replace(_NOBODY, entry.method__slug),
        family=entry.method__family,
        family_label=Family(entry.method__family).label,
        score=score,
        score_home=home,
        score_away=away,
        score_low=low,
        score_high=high,
        score_text=fixed(score, 3),
        home_text=fixed(home, 3),
        away_text=fixed(away, 3),
        interval_text=interval(low, high),
        cells=cells,
        origin=entry.origin,
        trust=entry.trust,
        trust_label=Trust(entry.trust).label,
        source=entry.source,
        source_label=entry.source_label,
        checkpoint=entry.method__checkpoint,
        checkpoint_label=Checkpoint(entry.method__checkpoint).label,
        variant=entry.variant,
        is_reference=is_ref,
        is_complete=all(cell.score is not None for cell in cells),
        is_above_true_spec=entry.is_above_true_spec,
    )


# Reversing two addresses a row would cost more than reading the row.
_NOBODY = str(UUID(int=0))


@cache
def _entry_url() -> str:
    return reverse("leaderboards:entry", args=[_NOBODY])


@cache
def _method_url() -> str:
    return reverse("leaderboards:method", args=[_NOBODY])
