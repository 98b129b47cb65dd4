"""The example of docs/submit-a-program.md runs under all guards, and its output is accepted."""

from __future__ import annotations

import numpy as np
import pytest

from leaderboards.expected import expectation
from leaderboards.intake.reader import read_submission
from leaderboards.sandbox import Limits, Reason
from modalities import challenge_files, physics
from tests.site.test_docs import blocks

GUIDE = "docs/submit-a-program.md"


@pytest.fixture(scope="module")
def challenge(tmp_path_factory) -> bytes:
    """A challenge file of the STEM in another order, with any measurements."""
    spec, rng = physics.load("stem"), np.random.default_rng(0)
    ys = [rng.random(physics.forward(spec).out_shape) for _ in spec.samples("public")]
    path = tmp_path_factory.mktemp("guide") / "public.h5"
    path.write_bytes(challenge_files.content(spec, "public", ys, None))
    return challenge_files.for_program(path, [*range(len(ys))][::-1])


def test_example_of_the_guide_is_a_submission(run, challenge, tmp_path):
    (source,) = blocks(GUIDE, "python")
    whole = Limits()
    outcome = run(
        source, challenge, memory_bytes=whole.memory_bytes, output_bytes=whole.output_bytes
    )
    assert outcome.reason == Reason.DONE, outcome.log.decode()
    assert outcome.log.startswith(b"calibrated: {")
    (tmp_path / "output.h5").write_bytes(outcome.output)
    spec = physics.load("stem")
    with (tmp_path / "output.h5").open("rb") as output:
        reading = read_submission(output, expectation(spec, "public"))
    assert len(reading.x_hat) == len(spec.samples("public"))
