"""Exact figures of the dev and hidden tiers are told nowhere: a few of them give a truth away.

The test knows every digit of one result on each tier, and looks for more of them than that tier
tells, in whatever the site answers to anybody, to the owner, and to the staff.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from leaderboards import bundle, ranking
from leaderboards.models import Attempt, Kind
from modalities import physics
from modalities.models import Modality
from pwmsite.models import ApiToken
from tests.challenge import move_in
from tests.factories import make_attempt, make_method, make_result, make_user
from tests.needs import FULL
from tests.site.walking import walk

pytestmark = pytest.mark.django_db
BOARDS = ("challenge", "dev", "hidden")
FORMATS = ("json", "csv", "tex", "bib")
# On each secret tier other digits, so that a failure says whose they are.
EXACT = {
    "dev": {
        "score": 0.61234567,
        "score_home": 0.65345678,
        "score_away": 0.57123456,
        "score_low": 0.59964567,
        "score_high": 0.62504567,
        "psnr": 29.75999614212475,
        "ssim": 0.87654321,
        "consistency": 0.91357924,
        "ceiling": 0.95317426,
        "cpu_seconds": 7654.321,
        "peak_memory_mb": 86420.97,
    },
    "hidden": {
        "score": 0.51728394,
        "score_home": 0.55839504,
        "score_away": 0.47617284,
        "score_low": 0.50458394,
        "score_high": 0.52998394,
        "psnr": 26.41421356237309,
        "ssim": 0.77245385,
        "consistency": 0.88622693,
        "ceiling": 0.94159265,
        "cpu_seconds": 8765.432,
        "peak_memory_mb": 97531.08,
    },
}
DECIMALS = {"psnr": 2, "cpu_seconds": 0, "peak_memory_mb": 0}  # that are told; else three
SPEC_ERROR = 0.07182818
# Of a dev result that is not calibrated nothing at all is told.
UNCALIBRATED = {"score": 0.43219876, "psnr": 21.98765432, "ssim": 0.68135791}


def too_exact() -> dict[str, str]:
    """Give how the texts begin that nobody may read, and whose they are."""
    begins = dict.fromkeys(("0.071", "7.2 %", "7.18"), "spec error")
    begins |= {"86421 MB": "dev peak_memory_mb", "97531 MB": "hidden peak_memory_mb"}
    for name, value in UNCALIBRATED.items():
        begins[f"{value:.{2 if name == 'psnr' else 3}f}"] = f"uncalibrated {name}"
    for tier, figures in EXACT.items():
        scenes = {f"scene {d:+}": figures["score"] + d for d in (-0.001, 0.001)}
        for name, value in (figures | scenes).items():
            whole, decimals = f"{value:.9f}".split(".")
            one_more = decimals[: DECIMALS.get(name, 3) + 1]
            begins[f"{whole}.{one_more}"] = f"{tier} {name}"
    return begins


FORBIDDEN = too_exact()
SEARCH = re.compile(r"(?<![\w.])(" + "|".join(map(re.escape, FORBIDDEN)) + ")")


def told(content: bytes) -> list[str]:
    """List the figures of which ``content`` has a digit too many."""
    return sorted({FORBIDDEN[found] for found in SEARCH.findall(content.decode(errors="ignore"))})


@pytest.fixture
def ada():
    return make_user(username="ada")


@pytest.fixture
def dev(settings, tmp_path, ada, catalogue):
    """What Ada sent to the dev tier; the server ran her method on the hidden one."""
    move_in(settings, tmp_path)
    stem = Modality.objects.get(key="stem")
    method = make_method(stem, name="Known", slug="known", owner=ada)
    make_attempt(stem, method, "public", (0.71234567, 31.123456789, 0.92345678))
    sent = make_attempt(stem, method, "dev", kind=Kind.FILE, **exactly("dev"))
    wrong = make_result(*UNCALIBRATED.values()) | {"spec_error": {"probe_size": 0.2}}
    make_attempt(stem, method, "dev", (UNCALIBRATED["score"], 0, 0), result=wrong)
    make_attempt(stem, method, "hidden", kind=Kind.BASELINE, **exactly("hidden"))
    ranking.rank_what_waits()
    return Attempt.objects.get(pk=sent.pk)


def exactly(tier: str) -> dict[str, Any]:
    """What the scorer writes of a result with the figures of ``tier``."""
    costs = ("cpu_seconds", "peak_memory_mb")
    means = {name: value for name, value in EXACT[tier].items() if name not in costs}
    means |= {"spec_error": {"probe_size": SPEC_ERROR}}
    scenes = [
        means | {"score": means["score"] + d, "group": group}
        for group, d in (("home", 0.001), ("away", -0.001))
    ]
    result = means | {"scenes": scenes, "metrics_version": physics.METRICS_VERSION}
    return {name: EXACT[tier][name] for name in ("score", *costs)} | {"result": result}


def test_each_answer_tells_as_many_digits_as_its_tier_does(ada, dev):
    _, token = ApiToken.objects.make(ada, "test")
    people = {
        "anybody": Client(),
        "the owner": Client(),
        "a program": Client(headers={"Authorization": f"Bearer {token}"}),
        "the staff": Client(),
    }
    people["the owner"].force_login(ada)
    people["the staff"].force_login(make_user(is_staff=True, is_superuser=True))
    api = "/api/v1/modalities/stem/boards"
    boards = [f"{api}/{board}/?format={name}" for board in BOARDS for name in FORMATS]
    entry = dev.entry.get_absolute_url()
    start = [*boards, entry, "/modalities/stem/", "/", "/methods/known/", "/history/", "/curate/"]
    start += [
        dev.get_absolute_url(),
        f"/api/v1/submissions/{dev.pk}/",
        "/accounts/",
        "/operations/",
    ]
    for who in people if FULL else ("the owner", "the staff"):
        pages = walk(people[who], [*start, "/admin/"])
        for place, content in pages.items():
            assert not told(content), f"{place}, as {who} sees it"
        rounded = [boards[0], boards[1], entry, "/modalities/stem/", "/methods/known/"]
        for place in rounded + [dev.get_absolute_url()] * (who == "the owner"):
            assert b"29.76" in pages[place], f"{place}, as {who} sees it"


def test_the_bundle_tells_as_many_digits_as_its_tier_does(dev, client):
    sent = client.get(f"{dev.entry.get_absolute_url()}bundle.zip").content
    manifest, parts, _ = bundle.read(sent)
    assert manifest["claimed"]["tiers"]["dev"]["figures"]["psnr"] == 29.76
    assert manifest["computed"]["tiers"]["public"]["figures"]["psnr"] == 31.123456789
    assert not [name for name, part in parts.items() if told(part)]


def test_the_search_finds_what_it_looks_for():
    assert told(b"PSNR 29.75999614212475 dB") == ["dev psnr"]
    assert told(b'{"score": 0.51728394, "scenes": [0.61334567]}') == [
        "dev scene +0.001",
        "hidden score",
    ]
    assert told(b"<td>7.2 %</td>") == ["spec error"]
    assert told(b"PSNR 21.99 dB, score 0.432") == ["uncalibrated psnr", "uncalibrated score"]
    assert not told(b"29.76 dB 0.612 0.600 0.952 10.0 s 400 MB, within 10 %")
