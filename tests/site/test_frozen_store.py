"""An S3 store that accepts connections and never answers holds nobody for long."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from botocore.exceptions import ReadTimeoutError
from django.core.files.storage import storages

from pwmsite import environment


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
    settings.STORAGES = settings.STORAGES | {"default": environment.storage(where)}
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


@pytest.mark.django_db
def test_readyz_names_it(frozen, client):
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["storage"] == "The storage cannot be used; the log says why."


def test_the_waits_are_those_of_a_visitor_and_there_is_a_connection_for_every_thread(monkeypatch):
    monkeypatch.setenv("PWM_WEB_THREADS", "32")
    options = environment.storage("s3://pwm")["OPTIONS"]
    config = options["client_config"]
    assert (config.connect_timeout, config.read_timeout) == (2.0, 10.0)
    assert config.retries["total_max_attempts"] == 2
    assert config.max_pool_connections == 32
    assert options["transfer_config"].num_download_attempts == 1
