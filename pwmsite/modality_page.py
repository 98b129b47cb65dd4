"""What the page of one modality holds, put together from all apps, ready to print."""

from __future__ import annotations

from typing import Any

from gallery import gallery_page
from leaderboards import boards_page, calibration_page, curves_page, programs
from modalities import diagrams, figures, physics, second_opinions, tier_downloads
from modalities.models import Modality
from modalities.physics import Spec
from modalities.primitives import PRIMITIVES, SYMBOLS, formula
from realdata.series import SERIES

from . import examples, markup

CONTENTS = (
    ("boards", "Leaderboards"),
    ("tiers", "Challenge tiers"),
    ("calibration", "Calibration"),
    ("gallery", "Gallery"),
    ("model", "Forward model"),
    ("about", "About"),
    ("practice", "Practice notes"),
    ("data", "Data, quick start"),
    ("refs", "References"),
    ("cite", "Cite, credits"),
)
DOT = {"public": "d1", "dev": "d4", "hidden": "d2"}
SCENARIOS = ("I", "II", "III")
SEEN = {
    physics.HOME: "yes: the site’s methods were made for it, and the gallery shows it",
    "open": "perhaps: its public samples have their truth, so a method may be tuned on them",
    "secret": "not its truth: only the description is public, and the measurement of dev",
}


def context(modality: Modality) -> dict[str, Any]:
    """Gather everything that templates/modalities/page.html prints."""
    spec = modality.spec
    gallery = gallery_page.of_modality(modality)
    boards = boards_page.of(modality)
    files = tier_downloads.of(modality)
    return {
        "nav": "modalities",
        "modality": modality,
        "contents": CONTENTS,
        "gallery": gallery,
        "boards": boards,
        "facts": facts(spec, boards, gallery),
        "tiers": [
            _tier(tier, boards, next(f for f in files if f.tier == tier["name"]))
            for tier in modality.tiers
        ],
        "calibration": calibration_page.of(modality),
        "curves": curves_page.of(modality),
        "kinds": _kinds(spec),
        "ranges": {"drawing": diagrams.ranges(spec), "rows": _range_rows(spec)},
        "model": _model(modality, spec),
        "second_opinions": second_opinions.of(modality.key),
        "prose": {
            part["slug"].replace("-", "_"): markup.fit(part["html"], part["title"])
            for part in modality.sections
        },
        "source": _source_gallery(modality, gallery),
        "data": {
            "python": examples.python(spec),
            "api": examples.api(modality.key),
            "setup": modality.facts["setup"],
            "downloads": files,
            "submit": examples.submit(modality.key),
            "is_measured": any(s.modality == modality.key for s in SERIES.values()),
        },
        "cite": {
            "references": modality.facts["references"],
            "datasets": modality.facts["datasets"],
            "bibtex": examples.bibtex(modality),
            "revision": modality.revision[:12],
        },
    }


def facts(
    spec: Spec, boards: boards_page.BoardsPage, gallery: gallery_page.Gallery
) -> list[dict[str, str]]:
    """Give the five facts under the strip; what is not known yet says so."""
    leader, hidden = boards.leader, boards.hidden_leader
    means = {mean.scenario: mean.score.psnr for mean in gallery.means}
    cost = {"value": "not computed yet", "detail": ""}
    if means and gallery.run:
        nominal, mismatched = (figures.fixed(means[s], 1) for s in ("I", "II"))
        cost = {
            "value": figures.decibels(means["II"] - means["I"]),
            "detail": f"{nominal} → {mismatched}, {gallery.run.method}",
        }
    return [
        {"label": f"Leader, blind challenge{leader.mark}", **leader.as_fact()},
        {"label": f"Leader, hidden tier{hidden.mark}", **hidden.as_fact()},
        {"label": "Cost of the mismatch", **cost},
        {"label": "Methods", **boards.count_fact()},
        {
            "label": "Unknown parameters",
            "value": str(len(spec.mismatches)),
            "detail": ", ".join(diagrams.pretty(m.symbol) for m in spec.mismatches),
        },
    ]


def _tier(
    card: dict[str, str], boards: boards_page.BoardsPage, file: tier_downloads.Download
) -> dict[str, Any]:
    tier = card["name"]
    extra = {"key": tier, "dot": DOT[tier], "boards": boards.tiers[tier], "download": file}
    return card | extra | {"program": programs.IN_SHORT if tier == "hidden" else ""}


def _kinds(spec: Spec) -> dict[str, Any]:
    """Say which kinds of scene each tier has, and who may have seen them."""
    return {
        "home": len(spec.scenes),
        "away": len(spec.group(physics.AWAY)),
        "rows": [
            {
                "name": scene.name,
                "description": scene.description,
                "group": scene.group,
                "tiers": ", ".join(scene.tiers) or "all",
                "seen": SEEN[_seen(scene)],
            }
            for scene in (*spec.scenes, *spec.away)
        ],
    }


def _seen(scene: physics.Scene) -> str:
    if not scene.is_away:
        return physics.HOME
    return "open" if "public" in scene.tiers else "secret"


def _range_rows(spec: Spec) -> list[dict[str, Any]]:
    return [
        {
            "name": m.name,
            "unit": m.unit,
            "bounds": [
                figures.shortest(bound)
                for tier in physics.TIERS
                for bound in physics.tier_range(spec, m.name, tier)
            ],
        }
        for m in spec.mismatches
    ]


def _model(modality: Modality, spec: Spec) -> dict[str, Any]:
    used = {step.primitive for step in spec.chain}
    return {
        "steps": len(spec.chain),
        "used": len(used),
        "formula": formula([(step.primitive, step.label) for step in spec.chain]),
        "signal_chain": diagrams.signal_chain(spec, modality.facts["signal_chain"]),
        "parts": [
            part | {"symbols": [diagrams.pretty(spec.mismatch(m).symbol) for m in part["mismatch"]]}
            for part in modality.facts["signal_chain"]
        ],
        "graph": diagrams.spec_graph(spec, SYMBOLS),
        "mismatches": [
            {
                "symbol": diagrams.pretty(m.symbol),
                "name": m.name,
                "description": m.description,
                "acts_on": m.acts_on,
                "nominal": figures.shortest(m.nominal),
                "perturbed": figures.shortest(m.perturbed),
                "unit": m.unit,
            }
            for m in spec.mismatches
        ],
        "chain": [
            {
                "symbol": SYMBOLS[step.primitive],
                "name": f"{step.primitive.capitalize()}, {step.model.replace('_', ' ')}",
                "description": step.description,
            }
            for step in spec.chain
        ],
        "primitives": [
            {"name": p.name, "symbol": p.symbol, "title": p.title, "summary": p.summary}
            | {"used": p.name in used}
            for p in PRIMITIVES
        ],
    }


def _source_gallery(modality: Modality, gallery: gallery_page.Gallery) -> dict[str, Any] | None:
    """Lay out what the source's gallery printed, with the precision of our own table."""
    source = modality.facts.get("source_gallery")
    if not source:
        return None
    rows = [*source["scenes"], {"name": "Mean"} | source["mean"]]
    return {
        "method": source["method"],
        "mismatch": source["mismatch"],
        "scenarios": SCENARIOS,
        "remarks": gallery.source_violations,
        "rows": [
            {
                "name": row["name"],
                "values": [
                    text
                    for s in SCENARIOS
                    for text in (
                        figures.fixed(row[s]["psnr"], 2),
                        figures.fixed(row[s]["ssim"], 3),
                    )
                ],
            }
            for row in rows
        ],
    }
