"""Do what a runner does with the one run that waits: ``python -m tests.browser.end_run WORD LOG``.

WORD: how it ends. LOG: what the program printed.
"""

from __future__ import annotations

import sys

import django

django.setup()

from leaderboards.models import Attempt, Ending  # noqa: E402
from tests.leaderboards.sending import end  # noqa: E402

if __name__ == "__main__":
    end(Attempt.objects.programs().queued().get(), Ending(sys.argv[1]), sys.argv[2])
