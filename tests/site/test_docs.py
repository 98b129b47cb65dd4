"""What the documentation shows can be run as it stands."""

import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from modalities import physics
from modalities.physics import catalogue
from modalities.physics.primitives import PRIMITIVES

from ..physics.laws import adjoint_gap, linearity_gap

ROOT = Path(__file__).parents[2]


def blocks(document: str, language: str) -> list[str]:
    """Take the fenced blocks of a language out of a Markdown page."""
    text = (ROOT / document).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def module(name: str, code: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Make a module of a block, as if it were the file that the page names."""
    made = ModuleType(name)
    made.__package__ = name.rpartition(".")[0]
    monkeypatch.setitem(sys.modules, name, made)
    exec(compile(code, name, "exec"), made.__dict__)
    return made


@pytest.fixture
def widefield(tmp_path, monkeypatch):
    """The modality of docs/add-a-modality.md, put in place for one test."""
    document = "docs/add-a-modality.md"
    (tmp_path / "widefield.toml").write_text(blocks(document, "toml")[0], "utf-8")
    monkeypatch.setattr(catalogue, "CATALOGUE", tmp_path)
    phantoms, methods, _ = blocks(document, "python")
    for registry, folder, code in (
        (physics.PHANTOMS, "phantoms", phantoms),
        (physics.METHODS, "methods", methods),
    ):
        name = f"modalities.physics.{folder}.widefield"
        module(name, code, monkeypatch)
        monkeypatch.setitem(registry._modules, "widefield", name)
    physics.load.cache_clear()
    yield physics.load("widefield")
    physics.load.cache_clear()


def test_the_new_modality_of_the_walk_through_compiles_and_reconstructs(widefield, capsys):
    exec(blocks("docs/add-a-modality.md", "python")[-1], {})
    printed = capsys.readouterr().out
    psnr = {s: float(v) for s, v in re.findall(r"^(I+) ([\d.]+) ", printed, re.M)}
    assert psnr["I"] >= psnr["III"] >= psnr["II"] > 15
    assert psnr["III"] - psnr["II"] > 0.1


def test_the_phantoms_of_the_walk_through_are_repeatable_and_within_bounds(widefield):
    for index in range(len(widefield.scenes)):
        x = physics.scene(widefield, index, seed=3)
        assert x.min() >= 0
        assert x.max() == 1
        assert np.array_equal(x, physics.scene(widefield, index, seed=3))


def test_the_new_model_of_the_walk_through_obeys_the_laws(monkeypatch):
    made = module("docs_box", blocks("docs/add-a-primitive.md", "python")[0], monkeypatch)
    assert "box" not in PRIMITIVES["convolve"]
    box = made.Box((4, 15), width=3.0)
    rng = np.random.default_rng(0)
    assert adjoint_gap(box, rng) < 1e-12
    assert linearity_gap(box, rng) < 1e-12
    assert box(np.ones((4, 15), np.float32)).dtype == np.float32
    x = rng.random((4, 15))
    assert box(x).mean() == pytest.approx(x.mean(), rel=1e-12)


@pytest.mark.parametrize("document", ["pwmsite/about.md", "docs/add-a-method.md"])
def test_snippets_that_reproduce_numbers_run(document, capsys):
    for snippet in blocks(document, "python"):
        exec(snippet, {})
    assert re.search(r"\d\d\.\d", capsys.readouterr().out)


LINKED = sorted([*(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("document", LINKED, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(document):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text("utf-8")):
        assert (document.parent / target).exists(), f"{document.name} links to {target}."
