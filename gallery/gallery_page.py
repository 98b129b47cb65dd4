"""The gallery of a modality as pages and API show it: every number formatted, every address known.

Three queries: the newest run that succeeded, its results, and the newest run of any state.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString

from modalities import physics
from modalities.diagrams import pretty
from modalities.figures import decibels, fixed, percent, seconds, shortest
from modalities.jobs import State
from modalities.models import Modality
from modalities.physics.scenarios import WORDS, rho, violations

from . import charts, drawings, snapshot
from .images import LARGEST_ERROR, object_size
from .models import Group, Run, SceneResult
from .run_line import RunLine, file_url, line

NOTES: dict[str, str] = {
    Group.HOME: "Scenes of the kinds that the site’s methods were made for. "
    "Scenario IV is calibrated from all of them together.",
    Group.AWAY: "Scenes of kinds that the site’s methods were not made for. "
    "Scenario IV is calibrated from these scenes alone.",
}


@dataclass(frozen=True)
class Score:
    """A PSNR and an SSIM, as numbers and as the page writes them."""

    psnr: float
    ssim: float

    @property
    def psnr_text(self) -> str:
        return fixed(self.psnr, 2)

    @property
    def ssim_text(self) -> str:
        return fixed(self.ssim, 3)

    @property
    def text(self) -> str:
        return decibels(self.psnr)


@dataclass(frozen=True)
class Cell:
    """One scene in one scenario. ``source`` is what the source page printed for it, if any."""

    key: str
    scenario: str
    meaning: str
    score: Score
    source: Score | None
    consistency: str
    cpu_seconds: str
    spec_error: list[tuple[str, str]]
    truth: str
    measurement: str
    reconstruction: str
    difference: str
    caption: str


@dataclass(frozen=True)
class SceneRow:
    """One scene in all scenarios; ``arrays`` is where its arrays can be downloaded."""

    index: int
    name: str
    description: str
    source_name: str
    truth: str
    arrays: str
    cells: list[Cell]


@dataclass(frozen=True)
class Mean:
    """The mean of a scenario over the scenes, ours and the source's."""

    scenario: str
    title: str
    meaning: str
    shows: str
    score: Score
    source: Score | None


@dataclass(frozen=True)
class Tab:
    """The scenes of one group, at home or away, and what the scenarios give on them.

    calibrated: symbol, calibrated value and true value of each mismatch; scenario IV is calibrated
    from the scenes of the same group alone.
    """

    name: str
    title: str
    note: str
    scenes: list[SceneRow]
    means: list[Mean]
    mismatch_cost: str
    calibration_gain: str
    rho: str
    calibrated: list[tuple[str, str, str]]
    dots: SafeString
    figure: dict[str, Any]

    @property
    def first(self) -> Cell:
        """The cell that the viewer shows first."""
        return self.scenes[0].cells[-1]


@dataclass(frozen=True)
class PictureSize:
    """Width and height of an object's picture, so that the page can reserve its place."""

    width: int
    height: int

    @property
    def is_wide(self) -> bool:
        return self.width > 1.5 * self.height

    @property
    def first(self) -> str:
        """What the viewer first compares with. Wide pictures show planes of a volume, and the
        picture of its measurement does not match them pixel by pixel."""
        return "truth" if self.is_wide else "measurement"


@dataclass(frozen=True)
class Gallery:
    """All that the gallery of one modality shows; ``run`` is None while nothing was computed.

    newest: the newest run where it is not ``run`` itself: being computed, failed or cancelled.
    tabs: the scenes at home, then those away, if the modality has any.
    drawn: what the pictures show of objects or data that are no plain images; "" for those.
    """

    key: str
    compute_url: str
    run: RunLine | None = None
    newest: RunLine | None = None
    tabs: list[Tab] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    source_method: str = ""
    source_mismatch: str = ""
    source_violations: list[str] = field(default_factory=list)
    error_limit: str = ""
    size: PictureSize | None = None
    drawn: str = ""

    @property
    def live(self) -> RunLine | None:
        """The run that waits or is computed now."""
        return self.newest if self.newest and self.newest.is_live else None

    @property
    def failed(self) -> RunLine | None:
        """The newest run, if it failed or was cancelled."""
        return self.newest if self.newest and not self.newest.is_live else None

    @property
    def home(self) -> Tab | None:
        return self.tabs[0] if self.tabs else None

    @property
    def away(self) -> Tab | None:
        return self.tabs[1] if len(self.tabs) > 1 else None

    @property
    def scenes(self) -> list[SceneRow]:
        return self.home.scenes if self.home else []

    @property
    def means(self) -> list[Mean]:
        return self.home.means if self.home else []

    @property
    def mismatch_cost(self) -> str:
        return self.home.mismatch_cost if self.home else ""

    @property
    def rho(self) -> str:
        return self.home.rho if self.home else ""

    @property
    def scenarios(self) -> list[str]:
        return [mean.scenario for mean in self.means]

    @property
    def strip(self) -> dict[str, str]:
        """Three pictures that tell the benchmark: specimen, measurement, reconstruction."""
        if not self.scenes:
            return {}
        row, cell = self.scenes[0], self.tabs[0].first
        scene = {"scene": row.name, "caption": cell.caption}
        return scene | {k: getattr(cell, k) for k in ("truth", "measurement", "reconstruction")}


def of_modality(modality: Modality) -> Gallery:
    """Put together the gallery of ``modality``."""
    runs = Run.objects.for_modality(modality).select_related("started_by").newest_first()
    newest = runs.first()
    done = newest if newest and newest.state == State.SUCCEEDED else runs.succeeded().first()
    if newest and done and newest.pk == done.pk:
        newest = None
    base: dict[str, Any] = {
        "key": modality.key,
        "compute_url": reverse("gallery:compute", args=[modality.key]),
        "newest": newest and line(newest, modality.key),
    }
    return _of_run(done, modality, base) if done else Gallery(**base)


def of_run(run: Run) -> Gallery:
    """Put together what one run shows, in any state."""
    base: dict[str, Any] = {
        "key": run.modality.key,
        "compute_url": reverse("gallery:compute", args=[run.modality.key]),
    }
    if run.state != State.SUCCEEDED:
        return Gallery(**base, newest=line(run, run.modality.key))
    return _of_run(run, run.modality, base)


def _of_run(run: Run, modality: Modality, base: dict[str, Any]) -> Gallery:
    source = modality.facts.get("source_gallery") or {}
    spec = snapshot.restore(run.spec)
    drawn = _drawn(spec)
    results = list(run.results.order_by("scene", "scenario"))
    printed = [{s: row[s]["psnr"] for s in ("I", "II", "III")} for row in source.get("scenes", [])]
    rows: dict[str, list[SceneRow]] = {group: [] for group in physics.GROUPS}
    for i, scene in enumerate(spec.samples("public")):
        rows[scene.group].append(_scene(run, i, scene, results, source, drawn))
    return Gallery(
        **base,
        run=line(run, modality.key),
        tabs=[_tab(run, group, found, source) for group, found in rows.items() if found],
        violations=run.violations,
        source_method=source.get("method", ""),
        source_mismatch=source.get("mismatch", ""),
        source_violations=violations(printed),
        error_limit=shortest(LARGEST_ERROR),
        size=PictureSize(*object_size(spec.shape, spec.channels)),
        drawn=drawn,
    )


def _drawn(spec: physics.Spec) -> str:
    """Say what the pictures show of complex values and of channels."""
    try:
        H = physics.forward(spec)
    except physics.CatalogueError:  # an old run, of a chain that cannot be built any more
        return ""
    both = (("object", H.in_dtype), ("measurement", H.out_dtype))
    parts = [f"the magnitude of the complex {what}" for what, dtype in both if dtype is complex]
    for axis in spec.channels:
        count = spec.shape[axis]
        parts.append(f"channel {count // 2 + 1} of {count} along {spec.axes[axis]}")
    return ", ".join(parts)


def _tab(run: Run, group: str, rows: list[SceneRow], source: dict[str, Any]) -> Tab:
    printed = source.get("mean", {}) if group == Group.HOME else {}
    means = [_mean(scenario, rows, printed) for scenario in run.scenarios]
    by = {mean.scenario: mean.score for mean in means}
    share = rho(by["II"].psnr, by["III"].psnr, by["IV"].psnr) if "IV" in by else None
    return Tab(
        name=group,
        title=Group(group).label,
        note=NOTES[group],
        scenes=rows,
        means=means,
        mismatch_cost=decibels(by["I"].psnr - by["II"].psnr),
        calibration_gain=decibels(by["IV"].psnr - by["II"].psnr) if "IV" in by else "",
        rho="" if share is None else fixed(share, 2),
        calibrated=_calibrated(run, group),
        dots=drawings.mean_psnr(
            {m.scenario: [row.cells[i].score.psnr for row in rows] for i, m in enumerate(means)}
        ),
        figure=charts.mean_psnr(rows, means),
    )


def _scene(
    run: Run,
    index: int,
    scene: physics.Scene,
    results: list[SceneResult],
    source: dict[str, Any],
    drawn: str,
) -> SceneRow:
    printed = dict(enumerate(source.get("scenes", []))).get(index, {})
    mine = [r for r in results if r.scene == index]
    cells = [_cell(run, scene.name, r, printed, drawn) for r in mine]
    return SceneRow(
        index=index,
        name=scene.name,
        description=scene.description,
        source_name=printed.get("name", ""),
        truth=cells[0].truth,
        arrays=file_url(run.pk, mine[0].arrays.name),
        cells=cells,
    )


def _cell(run: Run, scene: str, result: SceneResult, printed: dict[str, Any], drawn: str) -> Cell:
    symbols = {m["name"]: pretty(m["symbol"]) for m in run.spec["mismatches"]}
    score = Score(result.psnr, result.ssim)
    return Cell(
        key=f"{result.scene}-{result.scenario}",
        scenario=result.scenario,
        meaning=WORDS[result.scenario].meaning,
        score=score,
        source=_score(printed.get(result.scenario)),
        consistency=fixed(result.consistency, 3),
        cpu_seconds=seconds(result.cpu_seconds, 2),
        spec_error=[(symbols[k], percent(v)) for k, v in result.spec_error.items()],
        truth=file_url(run.pk, result.truth.name),
        measurement=file_url(run.pk, result.measurement.name),
        reconstruction=file_url(run.pk, result.reconstruction.name),
        difference=file_url(run.pk, result.difference.name),
        caption=(
            f"{scene}, scenario {result.scenario} ({WORDS[result.scenario].meaning}): "
            f"{score.psnr_text} dB, SSIM {score.ssim_text}{drawn and f'; shown: {drawn}'}"
        ),
    )


def _mean(scenario: str, rows: list[SceneRow], printed: dict[str, Any]) -> Mean:
    scores = [c.score for row in rows for c in row.cells if c.scenario == scenario]
    return Mean(
        scenario=scenario,
        title=WORDS[scenario].title,
        meaning=WORDS[scenario].meaning,
        shows=WORDS[scenario].shows,
        score=Score(fmean(s.psnr for s in scores), fmean(s.ssim for s in scores)),
        source=_score(printed.get(scenario)),
    )


def _score(printed: dict[str, float] | None) -> Score | None:
    return Score(printed["psnr"], printed["ssim"]) if printed else None


def _calibrated(run: Run, group: str) -> list[tuple[str, str, str]]:
    """List symbol, calibrated value and true value of each mismatch, with units."""
    found = run.calibrated if group == Group.HOME else run.calibrated_away
    return [
        (
            pretty(m["symbol"]),
            f"{shortest(found[m['name']], 3)} {m['unit']}",
            f"{shortest(m['perturbed'], 3)} {m['unit']}",
        )
        for m in run.spec["mismatches"]
        if m["name"] in found
    ]
