"""No address tells more of a secret tier than its rule (leaderboards/tells.py).

The test knows the exact figures of results on dev and hidden, and looks for them in every answer:
pages, API, files, feed, metrics, mail and log. Curators may see more and are not asked here.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import statistics
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leaderboards import ranking, tells
from leaderboards.models import Attempt, Kind, Variant
from leaderboards.scoring.compute import save
from modalities import physics
from tests.factories import _scored, make_attempt
from tests.needs import FULL

from .addresses import World
from .test_access import site_rows
from .walking import body

pytestmark = pytest.mark.django_db
ROLES = ("anonymous", "other", "owner") if FULL else ("anonymous", "owner")
SCENE = ("score", "psnr", "ssim", "consistency", "ceiling")
FORMATS = ("json", "csv", "tex", "bib")
# Times of day, and the token of each form.
VARIES = re.compile(r"\d\d:\d\d[:\d.]*|\d+ (?:second|minute)s?|value=\"\w{64}\"")
NUMBER = re.compile(rb"(?<![\d.])\d+\.\d+")
TOKEN = "a token for metrics, which is long enough"
CPU, MEMORY = 13.729461853, 431.827364591
SPEC = b"1.90318476"
ENDED = datetime.now(UTC).replace(hour=3, minute=17, second=43, microsecond=0)


def exact(seed: int, error: float, low: float = 0.2, high: float = 0.5) -> dict:
    """A result with digits that nothing else on the site has; ``error``: of its spec."""
    draw = random.Random(seed).uniform
    means = {name: draw(low, high) for name in tells.DIGITS} | {"psnr": draw(50, 100) * low}
    errors = {"probe_size": error, "scan_distortion": error * draw(0.5, 0.9)}
    scenes = [
        {name: draw(low, high) for name in SCENE} | {"spec_error": errors, "group": group}
        for group in ("home", "home", "away", "away")
    ]
    more = {"spec_error": errors, "scenes": scenes, "metrics_version": physics.METRICS_VERSION}
    shares = {"covered": {"probe_size": draw(0.2, 0.5)}, "abstained": {"probe_size": 0.0}}
    return means | more | {"calibration": shares}


class Secrets:
    """The exact figures of secret results, and what would be too much of each."""

    def __init__(self) -> None:
        self.figures: list[tuple[str, float, int]] = []

    def add(self, what: str, result: dict, is_told: bool) -> None:
        """Note a result; ``is_told``: its rounded means may be told, and nothing else of it."""
        for name, digits in tells.DIGITS.items():
            self.figures.append((f"{what} {name}", result[name], digits + 1 if is_told else 3))
        for i, scene in enumerate(result["scenes"]):
            for name in SCENE:
                self.figures.append((f"{what} scene {i} {name}", scene[name], 4))
        for name, error in result["spec_error"].items():
            self.figures.append((f"{what} error of {name}", error, 4))
        self.figures.append((f"{what} coverage", result["calibration"]["covered"]["probe_size"], 4))

    def told_by(self, content: bytes) -> set[str]:
        """Name the figures of which ``content`` has more digits than it may, as parts or percent.

        Numbers are compared by as many digits as they have.
        """
        found = set()
        for text in set(NUMBER.findall(content)):
            number, decimals = float(text), len(text.partition(b".")[2])
            for what, value, enough in self.figures:
                as_part = decimals >= enough and round(value, decimals) == number
                as_percent = decimals >= enough - 2 > 0 and round(100 * value, decimals) == number
                if as_part or (as_percent and 0.01 <= value < 1 and decimals > 1):
                    found.add(f"{what}: {text.decode()}")
        return found


def unpacked(content: bytes) -> bytes:
    """Give an answer with all that is packed in it."""
    if content.startswith(b"\x1f\x8b"):
        return gzip.decompress(content)
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            return b"\n".join(packed.read(name) for name in packed.namelist())
    return content


@pytest.fixture
def world(settings) -> World:
    settings.PWM_METRICS_TOKEN = TOKEN
    return World()


@pytest.fixture
def secrets(world, django_capture_on_commit_callbacks) -> Secrets:
    """Results of the owner on every tier, and the site's own on the hidden one."""
    found = Secrets()
    costs = {"cpu_seconds": CPU, "peak_memory_mb": MEMORY}
    near, off, hidden, own = (
        exact(1, 0.04738291),
        exact(7, 0.3185927, 0.84, 0.89),
        exact(3, 0.02),
        exact(4, 0.6),
    )
    with django_capture_on_commit_callbacks(execute=True):
        world.calibrated = scored(world, near, costs)
        world.uncalibrated = scored(world, off, costs)
    program = {"kind": Kind.PROGRAM, "tier": "hidden", "started_by": world.people["owner"]}
    make_attempt(world.stem, world.method, result=hidden, **program, **costs)
    baseline = {"kind": Kind.BASELINE, "variant": Variant.GRADIENT, "tier": "hidden"}
    computed = make_attempt(world.stem, world.method, result=own, **baseline, **costs)
    Attempt.objects.filter(pk=computed.pk).update(finished_at=ENDED)
    computed.events.create(event="renewed", token=1, at=ENDED)
    ranking.rank_what_waits()
    found.add("calibrated", near, is_told=True)
    found.add("uncalibrated", off, is_told=False)
    found.add("hidden", hidden, is_told=True)
    found.add("baseline", own, is_told=True)
    found.figures += [("CPU time", CPU, 1), ("memory", MEMORY, 1)]
    return found


def scored(world: World, result: dict, costs: dict) -> Attempt:
    """Send a file to dev and let a worker end it with ``result``."""
    fields = _scored(Kind.FILE, (result["score"], result["psnr"], result["ssim"]))
    fields = {k: fields[k] for k in fields if k.endswith(("_sha256", "_version")) or k == "score"}
    sent = Attempt.objects.submit(
        world.people["owner"],
        file="",
        sha256=f"{len(world.people) + Attempt.objects.count():064x}",
        modality=world.stem,
        method=world.method,
        tier="dev",
    )
    sent.claim("test")
    spec = [{"probe_size": float(SPEC)}] * 4
    sent.succeed(lambda: save(sent, fields | costs | {"result": result, "corrected_spec": spec}))
    sent.refresh_from_db()
    return sent


def places(world: World) -> Iterator[str]:
    """Give every address of the table, with all formats of a board and all entries."""
    today = datetime.now(UTC).date()
    names = vars(world.paths)
    for path, method, _ in site_rows():
        if method == "GET":
            yield path.format(**names)
            if "{attempt}" in path:
                for attempt in (world.calibrated, world.uncalibrated):
                    yield path.format(**names | {"attempt": attempt.pk})
            if "{entry}" in path:
                for entry in world.method.entries.all():
                    yield path.format(**names | {"entry": entry.pk})
    for board in ("challenge", "public", "dev", "hidden", "standard"):
        for query in (*(f"format={name}" for name in FORMATS), f"at={today}"):
            yield f"/api/v1/modalities/stem/boards/{board}/?{query}"
        yield f"/modalities/stem/boards/{board}/?at={today}"
    yield "/modalities/stem/?tier=dev"


def test_no_answer_mail_or_log_has_more_digits_than_its_tier_tells(world, secrets, caplog, capfd):
    wrong, asked = [], 0
    for role in ROLES:
        client = world.client(role)
        for place in dict.fromkeys(places(world)):
            if place == "/accounts/logout/":
                continue
            answer = client.get(place)
            content = unpacked(body(answer)) + str(answer.headers).encode()
            wrong += [f"{place} as {role} tells {told}" for told in secrets.told_by(content)]
            if role != "owner" and SPEC in content:
                wrong.append(f"{place} as {role} tells the spec that was sent")
            if b"03:17:43" in content or b"03:17 UTC" in content:
                wrong.append(f"{place} as {role} tells when a hidden baseline ended")
            asked += answer.status_code == 200
    assert asked > 100
    metrics = world.client("anonymous").get(
        "/metrics", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    assert metrics.status_code == 200
    sent = [message for message in mail.outbox if message.to == [world.people["owner"].email]]
    assert len(sent) == 2
    said = "".join(message.subject + message.body for message in sent)
    said += caplog.text + "".join(capfd.readouterr())
    wrong += [
        f"mail, log or metrics: {t}" for t in secrets.told_by(metrics.content + said.encode())
    ]
    assert not wrong


def test_the_walk_finds_what_it_looks_for(secrets):
    """A test that cannot fail is a defect."""
    told = exact(1, 0.04738291)
    assert secrets.told_by(json.dumps(told["score"]).encode())
    assert secrets.told_by(f"<td>{told['psnr']:.3f}</td>".encode())
    assert secrets.told_by(f"{100 * told['spec_error']['probe_size']:.2f} %".encode())
    assert secrets.told_by(f"{exact(7, 0.3185927, 0.84, 0.89)['psnr']:.3f}".encode())
    assert not secrets.told_by(
        f"{told['score']:.3f} {told['psnr']:.2f} {told['ssim']:.3f}".encode()
    )


def test_answers_about_two_uncalibrated_results_are_alike_in_bytes_queries_and_time(
    world, settings
):
    """How far off a result is shows in nothing: not in the words, the work or the time."""
    settings.PWM_DEV_UNCALIBRATED_A_MONTH = 3
    costs = {"cpu_seconds": CPU, "peak_memory_mb": MEMORY}
    near, far = exact(5, 0.1001), exact(6, 0.97, 0.8, 0.9)
    far |= {"score": 0.1, "psnr": 3.0, "scenes": far["scenes"] * 5}
    sent = [scored(world, result, costs) for result in (near, far)]
    client = world.client("owner")
    for path in ("/submissions/{}/", "/submissions/{}/progress/", "/api/v1/submissions/{}/"):
        seen, queries, times = [], [], ([], [])
        for attempt in sent:
            with CaptureQueriesContext(connection) as captured:
                text = client.get(path.format(attempt.pk)).content.decode()
            for own in (str(attempt.pk), str(attempt.pk)[:8], attempt.sha256):
                text = text.replace(own, "…")
            seen.append(
                re.sub(r"\d\d:\d\d[:\d.]*|\d+ (second|minute)s?|value=\"\w{64}\"", "…", text)
            )
            queries.append(len(captured))
        assert seen[0] == seen[1], path
        assert queries[0] == queries[1], path
        for _ in range(9):
            for attempt, spent in zip(sent, times, strict=True):
                start = time.process_time()
                client.get(path.format(attempt.pk))
                spent.append(time.process_time() - start)
        apart = statistics.median(times[0]) - statistics.median(times[1])
        assert abs(apart) < 0.01, path
