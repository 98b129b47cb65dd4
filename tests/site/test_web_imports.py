"""Web processes load neither the scorer nor the reader of uploads: they have no business there.

Nor does any process load at its start what is large and seldom needed.
The sandbox's limits and packages are on pages, so it is loaded; it starts nothing unless asked.
"""

from __future__ import annotations

import subprocess
import sys

from tests.sites import ROOT

# Resolving one address of each kind imports every view; the admin imports what it registers.
WEB = """
import sys
import pwmsite.wsgi
from django.urls import get_resolver

def every(patterns):
    for pattern in patterns:
        yield from every(pattern.url_patterns) if hasattr(pattern, "url_patterns") else [pattern]

assert len([pattern.callback for pattern in every(get_resolver().url_patterns)]) > 50
print("\\n".join(sys.modules))
"""
KEPT_OUT = (
    "leaderboards.scoring",
    "leaderboards.tasks",
    "leaderboards.intake.reader",
    "leaderboards.intake.parse",
    "leaderboards.intake.lockdown",
)


# Half a second of CPU time and 30 MB for every process of the site, each.
LARGE = ("scipy.stats", "matplotlib", "numba", "skimage", "boto3")
TASKS = """
import sys
from pwmsite.celery import app
app.loader.import_default_modules()
print("\\n".join(sys.modules))
"""


def test_all_views_are_there_without_scorer_sandbox_and_what_is_large(tmp_path):
    loaded = run(WEB, tmp_path)
    assert "leaderboards.views.submissions" in loaded
    assert not [name for name in loaded if name.startswith(KEPT_OUT) or name in LARGE]


def test_a_worker_starts_without_what_is_large(tmp_path):
    loaded = run(TASKS, tmp_path)
    assert "leaderboards.tasks" in loaded
    assert not [name for name in loaded if name in LARGE]


def run(program, var) -> list[str]:
    """Give the modules that a process loads."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PWM_VAR": str(var), "DJANGO_SETTINGS_MODULE": "pwmsite.settings"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()
