"""Many requests at once for what the credits of one account buy only once."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.sites import PLAIN, site

PREPARE = """
import hashlib, threading
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from leaderboards import programs
from leaderboards.models import *
from modalities.jobs import invariants
from modalities.models import Modality

settings.PWM_CREDITS_AT_START = PRICE_OF_A_HIDDEN_RUN + 5
stem = Modality.objects.get(key="stem")
method = Method.objects.get(physics_name="wiener")

def ask(person, source, start, answers):
    upload = SimpleUploadedFile("algo.py", source)
    upload.sha256 = hashlib.sha256(source).hexdigest()
    start.wait()
    try:
        made, is_new = programs.submit_program(
            person, upload, modality=stem, method=method, tier="hidden", form="script")
        answers.append("bought" if is_new else "known")
    except NotEnoughCredits:
        answers.append("too dear")
    except Exception as error:
        answers.append(repr(error))
    finally:
        connection.close()

def race(name, sources):
    person = User.objects.create_user(name)
    start, answers = threading.Barrier(len(sources)), []
    given = [(person, source.encode(), start, answers) for source in sources]
    threads = [threading.Thread(target=ask, args=arguments) for arguments in given]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    account = CreditAccount.objects.of(person)
    lines = sorted(account.changes.values_list("amount", flat=True))
    runs = Attempt.objects.of(person).count()
    kept = ProgramRun.objects.kept_of(person)["programs"]
    return sorted(answers), account.balance, lines, runs, kept
"""


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_parallel_requests_buy_what_the_credits_pay_for(database, tmp_path: Path, request):
    environment = {"DJANGO_SETTINGS_MODULE": PLAIN}
    if database == "postgresql":
        url = request.getfixturevalue("postgres_url")
        with psycopg.connect(url, autocommit=True) as connected:
            connected.execute("CREATE DATABASE races")
        environment["PWM_DATABASE_URL"] = url.removesuffix("/pwm") + "/races"
    with site(tmp_path, **environment) as live:
        live.migrate()
        live.manage("sync_catalogue")
        live.do(PREPARE)
        different = live.do("race('ann', given[0])", [f"print({n})" for n in range(24)])
        assert different == [["bought", *["too dear"] * 23], 5, [-10, 15], 1, 1]
        same = live.do("race('bob', given[0])", ["print()"] * 24)
        assert same == [["bought", *["known"] * 23], 5, [-10, 15], 1, 1]
        assert len(list((tmp_path / "runs/programs").rglob("*.py"))) == 2
        assert live.do("invariants.problems()") == []
