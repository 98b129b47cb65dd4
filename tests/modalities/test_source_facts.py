"""The catalogue says what the two source pages printed: gallery figures, mismatches, ranges."""

import tomllib
from typing import Any

import pytest

from modalities.physics.catalogue import CATALOGUE, load
from modalities.physics.spec import tier_range

KEYS = ("stem", "electron_tomography")

# scene, then PSNR and SSIM of scenario I, II, III, typed with every digit that was printed.
GALLERY = {
    "stem": """
scene_00 23.51322858456625  0.3680334261076263  18.321872109157592 0.10385815436617447 \
20.03444592103245  0.1989493017944018
scene_01 20.039820761387634 0.29166542696823705 18.85922982415404  0.12798625129650684 \
20.031642094176974 0.19752602173448866
scene_02 23.283012767044198 0.357495155445897   18.4465452279848   0.09369496983474383 \
20.2796683331393   0.18597290071365627
scene_03 23.31589368033676  0.36687406178777526 18.405990402819242 0.10758808193384366 \
20.100674151892584 0.20008535528637864
Mean     22.53798894833371  0.3460170175773839  18.50840939102892  0.10828186435781721 \
20.111607625060326 0.19563339488223133
""",
    "electron_tomography": """
scene_00 15.507243305879143 0.13254249053960648 14.812259569540307 0.054120457119006656 \
18.010913543859274 0.17782740099325928
scene_01 16.909429915360793 0.15227075607323218 15.316064577550064 0.05356630127301186 \
17.331316704000056 0.13924143915439577
scene_02 16.777808631511352 0.14925154542784438 15.751080157275618 0.05636055007136272 \
17.888905187329456 0.143065011831255
scene_03 15.327446930181196 0.13083040713433713 14.707117351024529 0.049778441517991524 \
17.581756819450632 0.15317542383097024
Mean     16.13048219573312  0.14122379979375504 15.14663041384763  0.053456437495343186 \
17.703223063659856 0.15332731895247007
""",
}

# name: symbol, description, unit, nominal, perturbed, then the ranges of public, dev and hidden.
MISMATCH = {
    "stem": {
        "probe_size": (
            ("Δd_p", "Probe size error", "Å", 0, 0.1),
            ((-0.1, 0.2), (-0.12, 0.18), (-0.07, 0.23)),
        ),
        "convergence_angle": (
            ("Δα", "Convergence semi-angle error", "mrad", 0, 0.5),
            ((-0.5, 1.0), (-0.6, 0.9), (-0.35, 1.15)),
        ),
        "scan_distortion": (
            ("Δs", "Scan distortion", "%", 0, 0.5),
            ((-0.5, 1.0), (-0.6, 0.9), (-0.35, 1.15)),
        ),
    },
    "electron_tomography": {
        "tilt_angle": (
            ("Δθ", "Tilt angle error", "deg", 0, 0.5),
            ((-0.5, 1.0), (-0.6, 0.9), (-0.35, 1.15)),
        ),
        "tilt_axis": (
            ("Δφ", "Tilt axis misalignment", "deg", 0, 0.3),
            ((-0.3, 0.6), (-0.36, 0.54), (-0.21, 0.69)),
        ),
        "defocus_gradient": (
            ("Δf'", "Defocus gradient", "nm/µm", 0, 10),
            ((-10.0, 20.0), (-12.0, 18.0), (-7.0, 23.0)),
        ),
    },
}

CHAIN = {
    "stem": ["P(e⁻)", "C(probe)", "D(g, η₁)"],
    "electron_tomography": ["R(θ)", "P(e⁻)", "Π(proj)", "D(g, η₁)"],
}
SYMBOL = {"propagate": "P", "convolve": "C", "detect": "D", "rotate": "R", "project": "Π"}

REFERENCES = {
    "stem": [
        "Pennycook & Nellist, 'Z-Contrast STEM Imaging', Springer (2011)",
        "Krivanek et al., 'Atom-by-atom structural and chemical analysis by annular dark-field "
        "electron microscopy', Nature 464, 571 (2010)",
    ],
    "electron_tomography": [
        "Frank, 'Electron Tomography', Springer (2006)",
        "Midgley & Dunin-Borkowski, 'Electron tomography and holography in materials science', "
        "Nature Materials 8, 271 (2009)",
    ],
}


def facts(key: str) -> dict[str, Any]:
    return tomllib.loads((CATALOGUE / f"{key}.toml").read_text("utf-8"))


@pytest.mark.parametrize("key", KEYS)
def test_source_gallery_keeps_every_printed_digit(key: str) -> None:
    gallery = facts(key)["source_gallery"]
    for line in GALLERY[key].strip().splitlines():
        name, *figures = line.split()
        row = gallery["mean"]
        if name != "Mean":
            row = next(scene for scene in gallery["scene"] if scene["name"] == name)
        recorded = [repr(row[s][metric]) for s in ("I", "II", "III") for metric in ("psnr", "ssim")]
        assert recorded == figures


@pytest.mark.parametrize("key", KEYS)
def test_source_gallery_means_are_the_means_of_its_scenes(key: str) -> None:
    gallery = facts(key)["source_gallery"]
    for scenario in ("I", "II", "III"):
        for metric in ("psnr", "ssim"):
            values = [scene[scenario][metric] for scene in gallery["scene"]]
            assert sum(values) / 4 == pytest.approx(gallery["mean"][scenario][metric], rel=1e-12)


@pytest.mark.parametrize("key", KEYS)
def test_mismatch_parameters_and_their_ranges_are_those_of_the_source(key: str) -> None:
    spec = load(key)
    assert [m.name for m in spec.mismatches] == list(MISMATCH[key])
    for name, (said, ranges) in MISMATCH[key].items():
        m = spec.mismatch(name)
        assert (m.symbol, m.description, m.unit, m.nominal, m.perturbed) == said
        for tier, expected in zip(("public", "dev", "hidden"), ranges, strict=True):
            assert tier_range(spec, name, tier) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("key", KEYS)
def test_chain_is_written_as_the_source_writes_it(key: str) -> None:
    assert [f"{SYMBOL[s.primitive]}({s.label})" for s in load(key).chain] == CHAIN[key]


@pytest.mark.parametrize("key", KEYS)
def test_references_are_those_of_the_source(key: str) -> None:
    assert [r["citation"] for r in facts(key)["reference"]] == REFERENCES[key]


@pytest.mark.parametrize("key", KEYS)
def test_every_mismatch_acts_on_a_component_of_the_signal_chain(key: str) -> None:
    acting = {name for row in facts(key)["signal_chain"] for name in row["mismatch"]}
    assert acting == set(MISMATCH[key])
