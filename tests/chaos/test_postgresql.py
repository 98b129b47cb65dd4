"""What holds on SQLite holds on PostgreSQL: the same tests again, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.needs import FULL
from tests.sites import ROOT

# Where the two databases differ most: locks, triggers, races, odd text.
AGAIN = (
    "tests/modalities/test_append_only.py",
    "tests/modalities/test_jobs.py",
    "tests/modalities/test_jobs_machine.py",
    "tests/modalities/test_queue_order.py",
    "tests/leaderboards/test_credits.py",
    "tests/leaderboards/test_invariants.py",
    "tests/leaderboards/test_registering.py",
    "tests/site/test_at_once.py",
    "tests/site/test_sign_up.py",
    "tests/site/test_hostile_requests.py",
)
# What is SQL and no more than that.
LONG = (
    "tests/modalities/test_job_files.py",
    "tests/modalities/test_job_refusal.py",
    "tests/gallery/test_pages.py",
    "tests/leaderboards/test_boards.py",
    "tests/leaderboards/test_certificates.py",
    "tests/leaderboards/test_counting.py",
    "tests/leaderboards/test_curation.py",
    "tests/leaderboards/test_keeping.py",
    "tests/leaderboards/test_programs.py",
    "tests/leaderboards/test_ranking.py",
    "tests/leaderboards/test_trust.py",
    "tests/site/test_mail.py",
)


def test_jobs_gallery_boards_and_accounts_work_alike_on_postgresql(postgres_url: str):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_XDIST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--create-db", *AGAIN, *(LONG if FULL else ())],
        cwd=ROOT,
        env=inherited | {"PWM_DATABASE_URL": postgres_url},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
