"""Whatever the two source pages say is on ours: figures, sources, ranges, references, words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.leaderboards import printed
from tests.modalities import test_source_facts as facts
from tests.site import reading

Read = Callable[[str], str]
KEYS = ("stem", "electron_tomography")

REFERENCES = {
    "stem": (
        "Pennycook & Nellist, 'Z-Contrast STEM Imaging', Springer (2011)",
        "Krivanek et al., 'Atom-by-atom structural and chemical analysis by annular dark-field "
        "electron microscopy', Nature 464, 571 (2010)",
    ),
    "electron_tomography": (
        "Frank, 'Electron Tomography', Springer (2006)",
        "Midgley & Dunin-Borkowski, 'Electron tomography and holography in materials science', "
        "Nature Materials 8, 271 (2009)",
    ),
}
DATASETS = {
    "stem": ("NCEM Molecular Foundry STEM benchmarks", "EMPIAR STEM datasets"),
    "electron_tomography": ("EMPIAR-10045", "ETDB", "Electron Tomography Database"),
}
CHAINS = {
    "stem": "P(e⁻) → C(probe) → D(g, η₁)",
    "electron_tomography": "R(θ) → P(e⁻) → Π(proj) → D(g, η₁)",
}
PRIMITIVES = {
    "P": ("Propagate", "Fresnel", "Rayleigh–Sommerfeld"),
    "M": ("Modulate", "coded aperture", "SLM"),
    "Π": ("Project", "Radon", "fan beam", "cone beam"),
    "F": ("Sample", "k-space", "MRI", "ptychography"),
    "C": ("Convolve", "point-spread function", "PSF"),
    "Σ": ("Accumulate", "spectrum", "time", "angle"),
    "D": ("Detect", "gain g", "noise model η", "Gaussian", "Poisson"),
    "S": ("Illuminate", "blocks", "Hadamard", "random"),
    "W": ("Disperse", "prism", "grating", "shift α", "aperture a"),
    "R": ("Rotate", "gantry", "CT"),
    "Λ": ("Select", "filter", "monochromator"),
}


def panel(html: str, name: str) -> list[list[str]]:
    """Give the rows of one board of the page."""
    return reading.rows(reading.part(html, f'id="{name}"', "</table>"))


@pytest.mark.parametrize("key", KEYS)
def test_every_standard_row_is_on_its_page(read: Read, key: str) -> None:
    found = panel(read(f"/modalities/{key}/"), "standard-reported")[1:]
    expected = [row[1:] for row in printed.rows(printed.STANDARD) if row[0] == key]
    assert len(found) == len(expected)
    for rank, (row, said) in enumerate(zip(found, expected, strict=True), start=1):
        slug, score, psnr, ssim, checkpoint, source = said
        assert row[0] == str(rank)
        assert slug.replace("-", " ") in row[1].lower().replace("-", " ")
        assert source in row[1]
        assert ("Checkpoint unavailable" in row[1]) == (checkpoint == "unavailable")
        assert row[2:5] == [score, psnr, f"{float(ssim):.3f}"]
        assert "✓ Certified" in row[5]
        assert "the source’s label" in row[5]


@pytest.mark.parametrize("key", KEYS)
def test_every_challenge_row_is_on_its_page(read: Read, key: str) -> None:
    found = panel(read(f"/modalities/{key}/"), "challenge-reported")[1:]
    overall = [row[1:] for row in printed.rows(printed.OVERALL) if row[0] == key]
    tiers = {
        (tier, slug): f"{score} {float(psnr):.2f} dB · {float(ssim):.3f}"
        for modality, tier, slug, score, psnr, ssim in printed.rows(printed.TIER_BOARDS)
        if modality == key
    }
    assert len(found) == len(overall)
    for rank, (row, (slug, name, score, source)) in enumerate(
        zip(found, overall, strict=True), start=1
    ):
        assert row[0] == str(rank)
        assert name in row[1]
        assert source in row[1]
        assert row[2] == score
        assert row[3:6] == [tiers[tier, slug] for tier in ("public", "dev", "hidden")]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("tier", ["public", "dev", "hidden"])
def test_every_tier_card_has_its_own_board_in_order(read: Read, key: str, tier: str) -> None:
    card = reading.part(read(f"/modalities/{key}/"), f'id="tier-{tier}"', "</article>")
    found = [row for row in reading.rows(card) if row[0] != "#"]
    expected = [row[2:] for row in printed.rows(printed.TIER_BOARDS) if row[:2] == [key, tier]]
    for rank, (row, said) in enumerate(zip(found, expected, strict=True), start=1):
        slug, score, psnr, ssim = said
        assert slug.replace("-", " ") in row[1].lower().replace("-", " ")
        assert [row[0], *row[2:]] == [
            str(rank),
            score,
            f"{float(psnr):.2f}",
            f"{float(ssim):.3f}",
        ]


@pytest.mark.parametrize("key", KEYS)
def test_every_gallery_figure_of_the_source_is_on_its_page(read: Read, key: str) -> None:
    found = reading.rows(
        reading.part(read(f"/modalities/{key}/"), 'id="source-gallery"', "</table>")
    )
    for line in facts.GALLERY[key].strip().splitlines():
        name, *values = line.split()
        texts = [f"{float(v):.{(2, 3)[i % 2]}f}" for i, v in enumerate(values)]
        assert [name, *texts] in found


@pytest.mark.parametrize("key", KEYS)
def test_every_range_is_on_its_page(read: Read, key: str) -> None:
    found = reading.rows(reading.part(read(f"/modalities/{key}/"), 'id="ranges"', "</table>"))
    for name, ((_, _, unit, _, _), spans) in facts.MISMATCH[key].items():
        bounds = [f"{bound:g}".replace("-", "−") for span in spans for bound in span]
        assert [name, *bounds, unit] in found


@pytest.mark.parametrize("key", KEYS)
def test_every_mismatch_row_is_on_its_page(read: Read, key: str) -> None:
    section = reading.part(read(f"/modalities/{key}/"), 'id="model"', 'id="steps"')
    found = reading.rows(section)
    for name, ((symbol, description, unit, nominal, perturbed), _) in facts.MISMATCH[key].items():
        row = next(row for row in found if len(row) == 7 and row[1] == name)
        assert row[0].replace("ₚ", "_p") == symbol
        assert [row[2], *row[4:]] == [description, f"{nominal:g}", f"{perturbed:g}", unit]


@pytest.mark.parametrize("key", KEYS)
def test_references_datasets_and_chain_are_on_their_page(read: Read, key: str) -> None:
    words = reading.text(read(f"/modalities/{key}/"))
    for phrase in (*REFERENCES[key], *DATASETS[key], CHAINS[key]):
        assert phrase in words


@pytest.mark.parametrize("key", KEYS)
def test_all_eleven_primitives_are_on_the_page_and_the_used_ones_are_marked(
    read: Read, key: str
) -> None:
    html = reading.part(read(f"/modalities/{key}/"), 'id="primitives"', "</details>")
    entries = html.split('<div id="prim-')[1:]
    assert len(entries) == len(PRIMITIVES)
    for entry, (symbol, words) in zip(entries, PRIMITIVES.items(), strict=True):
        assert f"<dt>{symbol}</dt>" in entry
        assert all(word in entry for word in words)
        assert ("used here" in entry) == (f"{symbol}(" in CHAINS[key])


def test_the_about_page_lists_the_same_primitives(read: Read) -> None:
    found = reading.rows(reading.part(read("/about/"), 'id="primitives"', "</table>"))
    assert [row[0] for row in found[1:]] == list(PRIMITIVES)
    assert [row[1] for row in found[1:]] == [words[0].lower() for words in PRIMITIVES.values()]
