"""The boards of one modality as its page shows them: four panels, three tiers, the leaders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from modalities import physics, svg
from modalities.figures import fixed
from modalities.models import Modality
from modalities.physics import scoring

from . import as_of, board_rows, boards, charts
from .models import Board, Origin, entry_name
from .published_files import facts_of

STANDARD_FORMULA = f"Score = {scoring.STANDARD_FORMULA}."
CHALLENGE_FORMULA = (
    f"Overall = mean of the three tiers. Tier = {scoring.TIER_FORMULA}. "
    "Below each score: PSNR in dB · SSIM."
)
TIER_FORMULA = f"Score = {scoring.TIER_FORMULA}."
MOST_IN_DRAWING = 12  # more lines could not be told apart
MOST_ON_PAGE, MOST_ON_CARD = 100, 12  # rows; the rest is a click away


@dataclass(frozen=True)
class Line:
    """One row of a panel: the board's row, with its bar and the words that filters look for."""

    row: board_rows.Row
    bar: SafeString | str
    words: str


@dataclass(frozen=True)
class Panel:
    """One board of one origin; tier: for the board of one tier of the challenge.

    past_url: the board as of a date, which measured boards have. has_groups: it has columns for the
    scores at home and away.
    """

    board: str
    origin: str
    title: str
    origin_title: str
    lines: Sequence[Line]
    url: str = ""
    more: int = 0
    slope: SafeString | str = ""
    is_open: bool = False
    tier: str = ""
    past_url: str = ""
    has_groups: bool = False

    @property
    def id(self) -> str:
        return f"{self.board}-{self.origin}"

    @property
    def is_challenge(self) -> bool:
        """Tell the overall board of the challenge, whose rows have a cell for each tier."""
        return self.board == Board.CHALLENGE and not self.tier

    @property
    def is_measured(self) -> bool:
        return self.origin == Origin.MEASURED

    @property
    def formula(self) -> str:
        if self.tier:
            return TIER_FORMULA
        return CHALLENGE_FORMULA if self.is_challenge else STANDARD_FORMULA


@dataclass(frozen=True)
class Leader:
    """Who leads a board; ``mark`` says so where the figure is only reported."""

    name: str
    score_text: str = ""
    origin: str = ""
    url: str = ""

    @property
    def mark(self) -> str:
        return " (reported)" if self.origin == Origin.REPORTED else ""

    def as_fact(self) -> dict[str, str]:
        return {"value": self.name, "detail": self.score_text, "url": self.url}


NOBODY = Leader("nobody yet")


@dataclass(frozen=True)
class BoardsPage:
    """All that the page of one modality shows of leaderboards."""

    panels: Sequence[Panel]
    tiers: dict[str, list[Panel]]
    families: Sequence[tuple[str, str]]
    methods: dict[str, int]
    being_ranked: set[str]
    dataset: str
    source: SafeString | str

    @property
    def leader(self) -> Leader:
        return leader_of([p for p in self.panels if p.is_challenge])

    @property
    def hidden_leader(self) -> Leader:
        return leader_of(self.tiers["hidden"])

    def count_fact(self) -> dict[str, str]:
        """Say how many methods are on the two boards, measured or reported."""
        standard, challenge = self.methods[Board.STANDARD], self.methods[Board.CHALLENGE]
        return {"value": f"{standard} standard", "detail": f"· {challenge} blind"}


def of(modality: Modality) -> BoardsPage:
    """Lay out the boards of ``modality``. Three queries."""
    every = boards.load(modality)
    source = facts_of(modality.key)
    tables = {
        (board, origin): rows(origin)
        for board, rows in ((Board.CHALLENGE, every.challenge), (Board.STANDARD, every.standard))
        for origin in (Origin.MEASURED, Origin.REPORTED)
    }
    first = next((place for place, rows in tables.items() if boards.best(rows)), None)
    first = first or (Board.CHALLENGE, Origin.REPORTED)
    families = {r.family: r.family_label for rows in tables.values() for r in rows}
    return BoardsPage(
        panels=[
            _panel(*place, rows, is_open=place == first, key=modality.key)
            for place, rows in tables.items()
        ],
        tiers={
            tier: [
                _panel(
                    Board.CHALLENGE,
                    origin,
                    every.tier(tier, origin),
                    key=modality.key,
                    tier=tier,
                    on_card=True,
                )
                for origin in (Origin.MEASURED, Origin.REPORTED)
            ]
            for tier in physics.TIERS
        },
        families=sorted(families.items()),
        methods={
            board: len(
                {r.method_slug for place, rows in tables.items() for r in rows if place[0] == board}
            )
            for board in (Board.STANDARD, Board.CHALLENGE)
        },
        being_ranked=boards.being_ranked(modality),
        dataset=source.dataset,
        source=mark_safe(source.html),  # noqa: S308 -- cleaned when the file is read
    )


def of_day(modality: Modality, name: str, day: date) -> Panel:
    """Lay out one measured board as it was at the end of ``day``, for a page of its own."""
    rows = as_of.read(modality, name, day)
    tier = "" if name in Board.values else name
    panel = _panel(as_of.board_of(name), Origin.MEASURED, rows, modality.key, tier)
    url = f"{reverse('api:board', args=[modality.key, name])}?at={day:%Y-%m-%d}"
    return replace(panel, title=as_of.BOARDS[name], url=url)


def leader_of(panels: Sequence[Panel]) -> Leader:
    """Give the leader of the first of the boards that has one: measured before reported."""
    for panel in panels:
        if row := boards.best([line.row for line in panel.lines]):
            return Leader(row.name, row.score_text, row.origin, row.method_url)
    return NOBODY


def leader_on(modality: Modality) -> Leader:
    """Give the leader of a modality that ``boards.with_leaders`` has read."""
    found: dict[str, Any] | None = getattr(modality, "leading", None)
    if found is None:
        return NOBODY
    names = (found["method"], Board.CHALLENGE, found["variant"], found["source_name"])
    return Leader(entry_name(*names), fixed(found["score"], 3), found["origin"])


def _panel(
    board: str,
    origin: str,
    rows: list[board_rows.Row],
    key: str,
    tier: str = "",
    is_open: bool = False,
    on_card: bool = False,
) -> Panel:
    complete = [row for row in rows if row.is_complete and not row.is_reference][:MOST_IN_DRAWING]
    most = MOST_ON_CARD if on_card else MOST_ON_PAGE
    is_whole = board == Board.CHALLENGE and not tier
    past = reverse("leaderboards:board_as_of", args=[key, tier or board])
    return Panel(
        board=board,
        origin=origin,
        title=str(Board(board).label),
        origin_title=str(Origin(origin).label),
        lines=[_line(row, with_bar=not on_card) for row in rows[:most]],
        url=f"{reverse('api:board', args=[key, tier or board])}?origin={origin}",
        more=max(0, len(rows) - most),
        slope=charts.slope([_series(row) for row in complete]) if is_whole and complete else "",
        is_open=is_open,
        tier=tier,
        past_url=past if origin == Origin.MEASURED else "",
        has_groups=board_rows.has_groups(rows),
    )


def _line(row: board_rows.Row, with_bar: bool) -> Line:
    bar = svg.bar(row.score) if with_bar and row.score is not None else ""
    words = [row.family, row.trust, row.checkpoint.replace(" ", "-")]
    return Line(row, bar, " ".join(words))


def _series(row: board_rows.Row) -> tuple[str, list[float]]:
    """Take the name without what all blind methods of the source have in common, and the scores."""
    scores = [cell.score for cell in row.cells]
    return row.name.removesuffix(" + gradient"), [s for s in scores if s is not None]
