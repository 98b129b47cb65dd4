"""An S3 store that accepts connections and never answers holds nobody for long."""

from __future__ import annotations

import html
import socket
from collections.abc import Iterator

import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError, ReadTimeoutError
from django.core.files.storage import storages
from django.test import Client

from leaderboards.models import Attempt, Entry
from modalities import storage
from pwmsite import environment, errors
from tests import challenge
from tests.factories import make_entry, make_method, make_modality, make_user


class Frozen:
    """A socket that listens; the kernel accepts, and nobody reads."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]

    def connections(self) -> int:
        """Count the connections that came since the last count."""
        count = 0
        while True:
            try:
                self.socket.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1


@pytest.fixture
def frozen(settings, monkeypatch) -> Iterator[Frozen]:
    store = Frozen()
    monkeypatch.setattr(environment, "STORE_READ", 0.2)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    where = f"s3://pwm?endpoint=http://127.0.0.1:{store.port}&region=us-east-1"
    there = dict.fromkeys(("default", "private"), environment.storage(where))
    settings.STORAGES = settings.STORAGES | there
    yield store
    store.socket.close()


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.exists("a"),
        lambda store: store.open("a").read(),
        lambda store: store.delete("a"),
    ],
)
def test_each_use_gives_up_after_two_tries(frozen, use):
    with pytest.raises(ReadTimeoutError):
        use(storages["default"])
    assert 1 <= frozen.connections() <= environment.STORE_TRIES


@pytest.fixture
def entry(db, frozen) -> Entry:
    """An entry of ada's, whose files and data are in the frozen store."""
    stem = make_modality("stem")
    method = make_method(stem, owner=make_user(username="ada"))
    entry = make_entry(stem, method, tiers={"public": (0.7, 28.0, 0.85)})
    sha256 = "0" * 64
    stem.datasets.create(tier="public", version="1", file="stem.h5", sha256=sha256, size=9)
    return entry


DATA = "/modalities/stem/data/public.h5"


@pytest.mark.parametrize("ask", ["data", "bundle", "form", "api"])
def test_a_visitor_is_told_after_one_use_of_the_store(frozen, entry, ask):
    """One use is over within 12 seconds, as the test of the waits below shows."""
    client = Client(raise_request_exception=False)
    client.force_login(entry.method.owner)
    sent = challenge.form_data(entry.method, b"no file at all")
    answer = {
        "data": lambda: client.get(DATA),
        "bundle": lambda: client.get(f"/entries/{entry.pk}/bundle.zip"),
        "form": lambda: client.post("/submissions/new/", sent),
        "api": lambda: client.post("/api/v1/submissions/", sent),
    }[ask]()
    assert answer.status_code == 503
    assert errors.AWAY in html.unescape(answer.content.decode())
    assert 1 <= frozen.connections() <= environment.STORE_TRIES
    assert Attempt.objects.count() == 1


@pytest.mark.parametrize("status", [500, 503, 404])
def test_a_store_that_answers_that_it_fails_is_away_too(status):
    answer = {"ResponseMetadata": {"HTTPStatusCode": status}, "Error": {}}
    error = S3UploadFailedError("It could not be uploaded.")
    error.__cause__ = ClientError(answer, "PutObject")
    assert storage.is_away(error) == (status >= 500)


@pytest.mark.django_db
def test_readyz_names_it(frozen, client):
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["storage"] == "The storage cannot be used; the log says why."


def test_the_waits_are_those_of_a_visitor_and_there_is_a_connection_for_every_thread(monkeypatch):
    monkeypatch.setenv("PWM_WEB_THREADS", "32")
    options = environment.storage("s3://pwm")["OPTIONS"]
    config = options["client_config"]
    tries, pause = config.retries["total_max_attempts"], 1.0  # at most, in botocore's standard mode
    assert tries * config.read_timeout + (tries - 1) * pause <= 12
    assert config.connect_timeout <= config.read_timeout
    assert config.max_pool_connections == 32
    assert options["transfer_config"].num_download_attempts == 1
