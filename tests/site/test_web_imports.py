"""Web processes load neither the scorer nor the reader of uploads: they have no business there."""

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
    "leaderboards.sandbox",
)


def test_all_views_are_there_without_scorer_and_sandbox(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WEB],
        cwd=ROOT,
        env={"PWM_VAR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "pwmsite.settings"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.split()
    assert "leaderboards.views.submissions" in loaded
    assert not [name for name in loaded if name.startswith(KEPT_OUT)]
