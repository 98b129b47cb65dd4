"""Running people's programs.

``run_untrusted`` is the only way in which this site starts a program that somebody sent, and it
starts none where a guard is missing: there is no switch that runs one without the sandbox.
docs/decisions/programs.md says what the layers are and what each of them is for.
"""

from .archive import why_no_containers
from .preflight import Guard, Preflight, preflight
from .program import Image, Limits, Outcome, Program, Reason, Script
from .run import run_untrusted
from .runtime import packages

__all__ = [
    "Guard",
    "Image",
    "Limits",
    "Outcome",
    "Preflight",
    "Program",
    "Reason",
    "Script",
    "packages",
    "preflight",
    "run_untrusted",
    "why_no_containers",
]
