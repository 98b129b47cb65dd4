"""Many submissions at once, on a real site: each is scored exactly once, and pages still come."""

from __future__ import annotations

import json
import sys
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests import challenge, servers, sites
from tests.needs import FULL

COUNT = 30 if FULL else 12
TWICE = COUNT // 3  # so many are sent twice: a program that got no answer tries again
SETUP = """
from django.contrib.auth.models import User
from leaderboards.models import Method
from modalities.models import Modality
from pwmsite.models import ApiToken
user = User.objects.create_user("ada", "ada@example.org", "correct horse")
method = Method.objects.create(slug="mine", name="Mine", family="classical", description="It does.",
                               checkpoint="none needed", owner=user)
method.modalities.set(Modality.objects.filter(key="stem"))
token = ApiToken.objects.make(user, "test")[1]
"""


@pytest.fixture
def site(tmp_path):
    with sites.site(tmp_path, DJANGO_SETTINGS_MODULE="pwmsite.settings") as made:
        made.migrate()
        made.manage("sync_catalogue")
        made.do("from modalities.management.commands.build_datasets import build")
        made.do("from modalities.models import Modality")
        made.do("build(Modality.objects.get(key='stem'), 'public')")
        yield made


@pytest.fixture
def address(site):
    port = servers.free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", "pwmsite/server.py"]
    place = {"PWM_BIND": f"127.0.0.1:{port}", "PWM_LOG_LEVEL": "ERROR"}
    environment = site.environment | place
    with servers.started(command, port, cwd=sites.ROOT, env=environment):
        yield f"http://127.0.0.1:{port}"


def get(address: str, token: str = "") -> bytes:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as answer:
        return answer.read()


def post(address: str, token: str, content: bytes) -> dict[str, Any]:
    """Send the API's multipart form, as curl does."""
    mark = uuid.uuid4().hex
    parts = []
    for name, value in {"modality": "stem", "tier": "public", "method": "mine"}.items():
        parts += [f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n']
    head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="s.h5"\r\n\r\n'
    body = "".join([*parts, head]).encode() + content + f"\r\n--{mark}--\r\n".encode()
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": f"multipart/form-data; boundary={mark}",
    }
    request = urllib.request.Request(f"{address}/api/v1/submissions/", body, headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def different_files(folder: Path, public: bytes) -> list[bytes]:
    """Give files that differ in one pixel, from one run of the starter."""
    target = folder / "submission.h5"
    target.write_bytes(challenge.starter_writes(public))
    files = []
    for i in range(COUNT):
        with h5py.File(target, "a") as h5:
            x_hat = h5["sample_00/x_hat"]
            x_hat[0, 0] = np.float32(i / COUNT)
        files.append(target.read_bytes())
    return files


def test_many_at_once_are_scored_exactly_once_each_while_pages_come(site, address, tmp_path):
    public = get(f"{address}/modalities/stem/data/public.h5")
    files = different_files(tmp_path, public)
    site.do(SETUP)
    token = site.do("token")
    for _ in range(2):
        site.worker(1)
    with ThreadPoolExecutor(12) as pool:
        sent = list(pool.map(lambda f: post(address, token, f), [*files, *files[:TWICE]]))
        pages = list(pool.map(lambda _: get(f"{address}/modalities/stem/"), range(12)))
    assert all(b"Leaderboards" in page for page in pages)
    assert len({row["id"] for row in sent}) == COUNT
    site.do("from leaderboards.models import Attempt, AttemptEvent")
    sites.wait(lambda: not site.do("Attempt.objects.live().count()"))
    states = site.do('list(Attempt.objects.values_list("state", "tries"))')
    assert states == [["succeeded", 1]] * COUNT
    ended = site.do('AttemptEvent.objects.filter(event="succeeded").count()')
    assert ended == COUNT
    found = json.loads(get(f"{address}/api/v1/submissions/", token))
    assert len({row["result"]["score"] for row in found["results"]}) == COUNT
    kept = list((site.folder / "private" / "submissions").glob("*/*.h5"))
    assert len(kept) == COUNT, "a file that was sent twice is kept once"
