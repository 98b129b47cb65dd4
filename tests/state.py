"""A folder for the state of the tests, named before the settings are read: never the site's own."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

if "PWM_VAR" not in os.environ or os.environ.get("PYTEST_XDIST_WORKER"):
    folder = tempfile.mkdtemp(prefix="pwm-tests-")
    os.environ["PWM_VAR"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

# What programs run in takes seconds to copy and is the same for all tests.
os.environ.setdefault("PWM_RUNTIME", str(Path(__file__).resolve().parents[1] / "var" / "runtime"))
