"""``verify_bundle --rerun`` runs a baseline again and says what two runs promise each other."""

from __future__ import annotations

import io
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from leaderboards import bundle
from leaderboards.scoring import again, baselines
from leaderboards.scoring.verify import Verdict
from modalities import physics
from modalities.physics.versions import HERE, program_sha256
from tests import challenge

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("challenge")


@pytest.fixture
def content(settings, folder) -> bytes:
    """The bundle of Wiener's filter on two tiers, whose truth is there and whose is secret."""
    kept = folder / "bundle.zip"
    if kept.exists():
        challenge.move_in(settings, folder)
        return kept.read_bytes()
    stem = challenge.open_challenge(settings, folder, catalogue=False)
    baselines.queue_missing(stem)
    done, _ = challenge.run_baselines(
        tier__in=("public", "dev"), variant="nominal", method__physics_name="wiener"
    )
    kept.write_bytes(bundle.write(done.entry))
    return kept.read_bytes()


def rerun(content: bytes, change: Any = None, **options: Any) -> dict[str, Any]:
    """Give the rows of a second run by field; ``change`` what the manifest records before."""
    manifest, parts, _ = bundle.read(content)
    if change:
        change(manifest)
    return {row.field: row for row in again.rerun(manifest, parts, **options)}


def record(**values: Any) -> Any:
    def change(manifest: bundle.Manifest) -> None:
        for tier in ("public", "dev"):
            manifest["claimed"]["tiers"][tier] |= values

    return change


def verdicts(rows: dict[str, Any], tier: str) -> set[Verdict]:
    return {row.verdict for field, row in rows.items() if field.startswith(f"rerun.{tier}")}


def test_where_bytes_are_promised_the_second_run_gives_them(content, tmp_path, capsys):
    path = tmp_path / "bundle.zip"
    path.write_bytes(content)
    call_command("verify_bundle", str(path), "--rerun")
    printed = capsys.readouterr().out
    assert "\nConfirmed: " in printed
    rows = rerun(content)
    for tier in ("public", "dev"):
        assert verdicts(rows, tier) == {Verdict.CONFIRMED}
        assert f"rerun.{tier}.outputs" in printed
    assert "rerun.public.corrected_spec" in rows
    assert "rerun.dev.corrected_spec" not in rows


def test_outputs_that_the_program_does_not_give_differ(content):
    rows = rerun(content, record(outputs="0" * 64, corrected_spec=[{"probe_size": 3.0}]))
    assert rows["rerun.dev.outputs"].verdict == Verdict.DIFFERS
    assert rows["rerun.public.corrected_spec"].verdict == Verdict.DIFFERS


def test_a_score_that_the_program_does_not_give_differs(content):
    def change(manifest: bundle.Manifest) -> None:
        manifest["claimed"]["tiers"]["dev"]["figures"]["score"] += 0.003

    rows = rerun(content, change)
    assert rows["rerun.dev.score"].verdict == Verdict.DIFFERS
    assert rows["rerun.public.score"].verdict == Verdict.CONFIRMED


def test_in_another_environment_outputs_must_be_close(content, monkeypatch):
    elsewhere = record(environment_sha256="0" * 64)

    def changed_by(step: float) -> Any:
        """Run as another machine might that rounds otherwise."""
        run = baselines.run

        def other(*args: Any, **kwargs: Any) -> Any:
            done = run(*args, **kwargs)
            return replace(done, x_hats=[x_hat + step for x_hat in done.x_hats])

        monkeypatch.setattr(baselines, "run", other)
        try:
            return rerun(content, elsewhere)
        finally:
            monkeypatch.setattr(baselines, "run", run)

    near, far = changed_by(1e-5), changed_by(1e-2)
    assert near["rerun.public.outputs"].verdict == Verdict.CONFIRMED
    assert "RMS difference 1.0e-05, tolerance 1e-03" in near["rerun.public.outputs"].why
    assert far["rerun.public.outputs"].verdict == Verdict.DIFFERS
    # Of a secret tier there is nothing to be close to: the score counts.
    assert far["rerun.dev.outputs"].verdict == Verdict.UNCHECKED
    assert far["rerun.dev.score"].verdict == Verdict.CONFIRMED


def test_a_method_that_draws_at_random_promises_its_score_alone(content, monkeypatch):
    known = physics.METHODS["stem"]["wiener"]
    monkeypatch.setitem(physics.METHODS["stem"], "wiener", replace(known, is_deterministic=False))
    rows = rerun(content, record(outputs="0" * 64))
    assert rows["rerun.dev.outputs"].verdict == Verdict.UNCHECKED
    assert rows["rerun.dev.score"].verdict == Verdict.CONFIRMED


def test_other_code_is_named_and_run_only_when_asked(content, monkeypatch):
    monkeypatch.setattr(again, "commit_of", {"0" * 64: "abc123"}.get)
    rows = rerun(content, record(program="0" * 64))
    assert verdicts(rows, "public") == {Verdict.UNCHECKED}
    assert "check out commit abc123" in rows["rerun.public"].why
    assert "--any-code" in rows["rerun.public"].why
    rows = rerun(content, record(program="0" * 64), any_code=True)
    assert rows["rerun.public.program"].verdict == Verdict.UNCHECKED
    assert rows["rerun.public.score"].verdict == Verdict.CONFIRMED


@pytest.mark.parametrize("key", ["", "that of another site"])
def test_a_secret_tier_is_run_again_only_by_the_site(content, settings, key):
    settings.DATA_KEY = key
    rows = rerun(content)
    assert "only the site can run it again" in rows["rerun.dev"].why
    assert verdicts(rows, "dev") == {Verdict.UNCHECKED}
    assert verdicts(rows, "public") == {Verdict.CONFIRMED}


def test_what_somebody_sent_cannot_be_run_again(content):
    rows = rerun(content, record(kind="file"))
    assert {row.verdict for row in rows.values()} == {Verdict.UNCHECKED}


def test_the_command_says_when_nothing_could_be_run(content, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(again, "program_sha256", lambda: "0" * 64)
    path = tmp_path / "bundle.zip"
    path.write_bytes(content)
    with pytest.raises(CommandError, match="nothing could be run again here") as raised:
        call_command("verify_bundle", str(path), "--rerun", stdout=io.StringIO())
    assert raised.value.returncode == 2


def test_the_commit_of_a_program_is_found_in_the_history(tmp_path, monkeypatch):
    def git(*arguments: str) -> None:
        names = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *names, *arguments], cwd=tmp_path, check=True, capture_output=True)

    for path in sorted(HERE.rglob("*.py")):
        copy = tmp_path / path.relative_to(HERE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    (tmp_path / "build.py").write_text("# another\n")
    git("commit", "-a", "-m", "second")
    monkeypatch.setattr(again, "HERE", tmp_path)
    found = again.commit_of(program_sha256())
    assert found
    log = ["git", "log", "--format=%s", "-1", found]
    assert subprocess.run(log, cwd=tmp_path, capture_output=True, text=True).stdout == "first\n"
    assert again.commit_of("0" * 64) is None
    monkeypatch.setattr(again, "HERE", tmp_path / "nowhere")
    assert again.commit_of(program_sha256()) is None
