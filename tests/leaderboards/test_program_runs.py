"""A program from its upload to the board: run in the sandbox, its output read, scored, ranked."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from django.core.files.storage import storages

from leaderboards import can_score, programs, ranking, sandbox, tells
from leaderboards.models import (
    TOLERANCE,
    Attempt,
    CreditAccount,
    Ending,
    Entry,
    Kind,
    ProgramRun,
    TierScore,
    Variant,
)
from leaderboards.sandbox import Outcome, Reason
from leaderboards.scoring import baselines, running
from modalities import datasets
from modalities.jobs import State, invariants
from modalities.jobs.files import delete_orphans
from tests import challenge
from tests.factories import make_attempt, make_user
from tests.needs import FULL
from tests.people_programs import method_as_container, method_as_script, send, step

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("challenge")


@pytest.fixture
def stem(settings, folder):
    return challenge.open_challenge(settings, folder, catalogue=False)


@pytest.fixture
def method(stem) -> Any:
    return challenge.own_method(make_user(), stem)


@pytest.fixture(autouse=True)
def consistent(db) -> Any:
    delete_orphans()  # what other tests left when their rows went
    yield
    assert invariants.problems() == []


Run = Callable[..., Outcome]


@pytest.fixture
def sandboxed(monkeypatch) -> Callable[[Run], None]:
    """Let the sandbox answer what a function says, without running anything."""

    def answer(run: Run) -> None:
        def run_untrusted(program: Any, given: Any, limits: Any, *, beat: Any) -> Outcome:
            beat("running", 0.5)
            return run(program, given)

        monkeypatch.setattr(running.sandbox, "run_untrusted", run_untrusted)

    return answer


def ended(reason: Reason, **more: Any) -> Run:
    fields = {"detail": "It ended.", "runtime_sha256": "7" * 64, "cpu_seconds": 3.3} | more
    return lambda program, given: Outcome(reason, **fields)


def submission(spec: Any, values: dict[str, float]) -> Callable[[Any, bytes], Outcome]:
    """Write what the samples tell apart: as the object of each the number of its place."""

    def write(program: Any, given: bytes) -> Outcome:
        file = io.BytesIO()
        with h5py.File(io.BytesIO(given)) as asked, h5py.File(file, "w") as h5:
            for name in asked:
                y = asked[name]["y"][:]
                group = h5.create_group(name)
                group["x_hat"] = np.full(spec.shape, float(y.mean()), "f4")
                group.attrs["corrected_spec"] = json.dumps(values)
        return ended(Reason.DONE, output=file.getvalue(), log=b"hello\x1b[2J")(program, given)

    return write


def balance(method: Any) -> int:
    return CreditAccount.objects.of(method.owner).balance


def test_output_waits_for_the_scorer_and_is_put_back_into_the_tiers_order(method, stem, sandboxed):
    truth = datasets.load_truth(stem.spec, "hidden").mismatch
    sandboxed(submission(stem.spec, truth))
    run = step(send(method))
    assert (run.state, run.queue, run.tries) == (State.QUEUED, "scoring", 0)
    kept = run.program
    assert (kept.ending, run.score, programs.step(run)) == (Ending.DONE, None, "its output waits")
    assert sorted(kept.order) == list(range(8))
    run = step(run)
    assert (run.state, run.has_succeeded, run.error_message) == (State.SUCCEEDED, True, "")
    means = [y.astype("f4").mean() for y in datasets.load_measurements(stem.spec, "hidden")]
    found = [x.mean() for x in run.reconstructions().values()]
    np.testing.assert_allclose(found, means, rtol=1e-4)
    assert [e.event for e in run.events.all()] == [
        *("queued", "claimed", "handed over", "claimed", "succeeded")
    ]
    assert balance(method) == 90
    assert delete_orphans() == 0
    assert run.entry.trust == "rerun"


def test_a_fault_of_the_server_starts_the_program_once_more(method, sandboxed):
    reasons = [Reason.SERVER, Reason.FAILED]
    sandboxed(lambda *given: ended(reasons.pop(0))(*given))
    run = step(send(method))
    assert (run.state, run.program.ending, reasons) == (State.FAILED, Ending.FAILED, [])
    assert balance(method) == 90


def test_evidence_names_program_inputs_outputs_and_runtime(method, stem, sandboxed):
    sandboxed(submission(stem.spec, datasets.load_truth(stem.spec, "hidden").mismatch))
    run = step(step(send(method, b"print(1)")))
    assert run.program_sha256 == hashlib.sha256(b"print(1)").hexdigest()
    assert run.environment_sha256 == run.program.runtime_sha256 == "7" * 64
    assert run.program.data_version == run.data_version
    with run.program.output.open("rb") as output:
        assert hashlib.file_digest(output, "sha256").hexdigest() == run.program.output_sha256
    assert run.cpu_seconds == 3.3
    told = TierScore.objects.get(attempt=run)
    assert (told.cpu_seconds, told.spec_error) == (5.0, {})


def test_overall_rank_appears_with_the_third_tier(method, stem, sandboxed):
    make_attempt(stem, method, "public")
    make_attempt(stem, method, "dev")
    ranking.rank_what_waits()
    assert Entry.objects.get().rank is None
    sandboxed(submission(stem.spec, datasets.load_truth(stem.spec, "hidden").mismatch))
    step(step(send(method)))
    ranking.rank_what_waits()
    entry = Entry.objects.get()
    assert (entry.rank, entry.trust) == (1, "scored")
    assert entry.score is not None


def test_second_run_for_a_certificate_runs_the_program_again(method, stem, sandboxed):
    sandboxed(submission(stem.spec, datasets.load_truth(stem.spec, "hidden").mismatch))
    first = step(step(send(method)))
    second = step(step(Attempt.objects.repeat(first)))
    assert (second.state, second.score) == (State.SUCCEEDED, pytest.approx(first.score))
    assert second.outputs_sha256 == first.outputs_sha256, "whatever the order was"
    assert TierScore.objects.get().attempt == first
    assert balance(method) == 90


def test_each_run_gets_an_order_of_its_own(method, stem, sandboxed):
    orders = []
    sandboxed(ended(Reason.NO_OUTPUT))
    for number in range(3):
        run = step(send(method, b"%d" % number))
        orders.append(tuple(run.program.order))
    assert len(set(orders)) > 1


def test_uncalibrated_run_is_told_to_be_that_and_nothing_else(method, stem, sandboxed):
    sandboxed(submission(stem.spec, stem.spec.nominal))
    run = step(step(send(method)))
    assert run.state == State.SUCCEEDED
    assert not TierScore.objects.exists()
    assert balance(method) == 90


def test_trial_is_on_no_board_and_shows_its_log(method, stem, sandboxed):
    sandboxed(submission(stem.spec, datasets.load_truth(stem.spec, "public").mismatch))
    run = step(step(send(method, tier="public")))
    assert run.has_succeeded
    assert not TierScore.objects.exists()
    assert programs.log_of(run) == "hello[2J"
    assert balance(method) == 100


def test_hidden_log_is_for_curators(method, stem, sandboxed):
    sandboxed(ended(Reason.FAILED, log=b"the measurements", exit_code=3))
    run = step(send(method))
    assert programs.log_of(run) is None
    assert programs.log_of(run, for_curator=True) == "the measurements"


@pytest.mark.parametrize("reason", [r for r in Reason if r != Reason.DONE])
def test_every_ending_has_its_word_and_its_price(method, sandboxed, reason):
    sandboxed(ended(reason, log=b"secret", detail="secret too"))
    run = step(send(method))
    assert (run.state, run.error_code) == (State.FAILED, reason.value)
    assert run.error_message == programs.ENDINGS[Ending(reason.value)]
    assert "secret" not in run.error_message + "".join(e.detail for e in run.events.all())
    assert run.program.ending == reason.value
    assert balance(method) == (100 if reason in (Reason.BLOCKED, Reason.SERVER) else 90)
    assert delete_orphans() == 0


def test_words_of_the_sandbox_are_those_of_the_rows():
    assert {r.value for r in Reason} | {"output_refused"} == {e.value for e in Ending}
    assert set(programs.ENDINGS) == set(Ending)


@pytest.mark.parametrize(("tier", "left"), [("hidden", 90), ("public", 100)])
def test_refused_output_is_listed_where_all_may_be_told(method, sandboxed, tier, left):
    sandboxed(ended(Reason.DONE, output=b"\x89HDF\r\n\x1a\n but no more"))
    run = step(step(send(method, tier=tier)))
    assert (run.state, run.error_code) == (State.FAILED, Ending.OUTPUT_REFUSED)
    assert bool(run.problems) == (tier == "public")
    assert run.program.problems
    assert run.program.ending == Ending.OUTPUT_REFUSED
    assert balance(method) == left


def test_program_that_was_changed_in_the_storage_is_not_run(method, sandboxed):
    sandboxed(ended(Reason.DONE))
    run = send(method)
    storage, name = storages["runs"], run.program.source.name
    storage.delete(name)
    with storage.open(name, "wb") as stored:
        stored.write(b"something else")
    run = step(run)
    assert (run.error_code, balance(method)) == ("changed", 100)


def test_program_that_is_gone_costs_nothing(method, sandboxed):
    run = send(method)
    storages["runs"].delete(run.program.source.name)
    sandboxed(ended(Reason.DONE))
    run = step(run)
    assert (run.error_code, balance(method)) == ("file_lost", 100)
    ProgramRun.objects.filter(pk=run.pk).update(source="")


def test_output_for_data_of_yesterday_is_not_scored(method, stem, sandboxed):
    sandboxed(ended(Reason.DONE, output=b"whatever"))
    stem.datasets.filter(tier="hidden").update(version="1-older")
    row = stem.datasets.get(tier="hidden")
    path = datasets.measurements_path("stem", "hidden", datasets.version_of(stem.spec, "hidden"))
    older = datasets.measurements_path("stem", "hidden", row.version)
    older.write_bytes(path.read_bytes())
    run = step(step(send(method)))
    assert (run.error_code, balance(method)) == ("outdated", 100)
    older.unlink()


def test_step_that_was_cancelled_ends_there(method, sandboxed):
    def cancel(program: Any, given: Any) -> Outcome:
        Attempt.objects.get().cancel("ann")
        return ended(Reason.DONE, output=b"x")(program, given)

    sandboxed(cancel)
    run = step(send(method))
    assert (run.state, run.program.ending, balance(method)) == (State.CANCELLED, "", 90)
    assert delete_orphans() == 1


def test_runner_without_a_sandbox_leaves_programs_to_one_that_has_it(method, monkeypatch):
    run = send(method)
    guard = sandbox.Guard("bubblewrap", False, "It is not there.")
    monkeypatch.setattr(sandbox, "preflight", lambda: sandbox.Preflight((guard,)))
    here = programs.Runner("here", ("bubblewrap",))
    monkeypatch.setattr(programs, "runners", lambda: [here])
    assert can_score.has_data(run)
    assert programs.why_blocked() == "Blocked: no sandbox on this server (bubblewrap)."
    monkeypatch.setattr(programs, "runners", lambda: [here, programs.Runner("there", ())])
    assert not can_score.has_data(run)
    assert programs.why_blocked() == ""


def test_runner_needs_the_measurements_and_the_scorer_the_truth(method, settings, tmp_path):
    run = send(method)
    settings.TRUTH_DIR, settings.DATA_KEY = tmp_path, ""
    assert can_score.has_data(run)
    settings.MEASUREMENTS_DIR = tmp_path
    assert not can_score.has_data(run)


def test_each_run_draws_an_order_in_which_home_comes_first():
    groups = ["home"] * 4 + ["away"] * 4
    orders = [running.drawn(groups) for _ in range(60)]
    assert all(sorted(order[:4]) == [0, 1, 2, 3] for order in orders)
    assert all(sorted(order) == [*range(8)] for order in orders)
    assert len({tuple(order) for order in orders}) > 1


FORMS = {"script": method_as_script} | ({"container": method_as_container} if FULL else {})


@pytest.mark.parametrize("form", FORMS)
def test_method_of_the_site_has_the_same_score_as_somebodys(form, method, stem):
    """The whole way, in the real sandbox: run, read, scored, and on the board."""
    found = sandbox.preflight()
    if not found.ok:
        pytest.skip(f"No sandbox here: {', '.join(found.missing)}.")
    queued = baselines.queue_missing(stem)
    (own,) = (
        a
        for a in queued
        if (a.method.physics_name, a.tier, a.variant) == ("wiener", "hidden", Variant.GRADIENT)
    )
    challenge.run(own)
    run = step(send(method, FORMS[form]("stem", "wiener"), form=form))
    assert run.program.ending == Ending.DONE, programs.log_of(run, for_curator=True)
    run = step(run)
    ranking.rank_what_waits()
    assert run.has_succeeded, (run.error_message, run.program.problems)
    assert run.score == pytest.approx(own.score, abs=TOLERANCE)
    own.refresh_from_db()
    for name in ("psnr", "ssim", "consistency"):
        assert run.result[name] == pytest.approx(own.result[name], rel=1e-3)
    entry = Entry.objects.get(method=method)
    assert (entry.trust, entry.board, run.kind) == ("rerun", "challenge", Kind.PROGRAM)
    # The site's own row is always told; a person's only if it is calibrated.
    assert TierScore.objects.filter(attempt=run).exists() == tells.is_calibrated(run.result)
    assert run.program.wall_seconds > 0
