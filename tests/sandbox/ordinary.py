"""Run scripts as an ordinary user: ``python ordinary.py USER PLACE PYTHON < runs.json``.

Started by root, it loads everything first, becomes the user, and then runs each script with its
limits; standard output: a list of outcomes. PLACE holds what the user must be able to read: the
runtime, and the programs that run by path, with an interpreter that the user can start.
"""

import json
import os
import sys
from pathlib import Path

os.environ["DJANGO_SETTINGS_MODULE"] = "pwmsite.settings"

import django

django.setup()

import h5py  # noqa: E402, F401

from leaderboards.sandbox import execute, preflight  # noqa: E402
from leaderboards.sandbox.program import Limits, Script  # noqa: E402
from leaderboards.sandbox.runtime import runtime  # noqa: E402

user, place = int(sys.argv[1]), Path(sys.argv[2])
execute.LAUNCHER = place / "leaderboards/sandbox/launch/launcher.py"
sys.modules["leaderboards.sandbox.preflight"].PROBE = execute.LAUNCHER.with_name("probe.py")
runtime()  # of the interpreter that the site runs with
sys.executable = sys.argv[3]
runs = json.load(sys.stdin)
os.setgroups([])
os.setresgid(user, user, user)
os.setresuid(user, user, user)

found = preflight()
answers = [{"guards": {guard.name: [guard.holds, guard.detail] for guard in found.guards}}]
for source, limits in runs:
    outcome = execute.run_unchecked(Script(source.encode()), b"abc", Limits(**limits))
    answers.append(
        {
            "reason": outcome.reason,
            "detail": outcome.detail,
            "output": outcome.output.decode(),
            "log": outcome.log.decode("utf-8", "replace")[-2000:],
            "memory": outcome.peak_memory_mb,
        }
    )
json.dump(answers, sys.stdout)
