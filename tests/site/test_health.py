"""The site says whether it is alive and what it lacks for its work."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.cache import cache
from django.test import Client

from pwmsite.models import SILENCE
from tests.factories import make_worker


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    cache.clear()


def test_a_process_that_answers_is_alive_without_a_database(client: Client) -> None:
    # No database fixture here: any query would raise.
    assert client.get("/healthz").content == b"ok\n"


@pytest.mark.django_db
def test_ready_with_a_worker_that_reports(client: Client) -> None:
    make_worker(seen_ago=timedelta(seconds=1))
    answer = client.get("/readyz")
    assert answer.json() == {
        "ready": True,
        "checks": dict.fromkeys(
            (
                *("database", "migrations", "broker", "cache", "storage", "worker", "queues"),
                *("sandbox", "static"),
            ),
            "ok",
        ),
    }
    assert answer.status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("seen_ago", [None, 2 * SILENCE])
def test_not_ready_without_one(client: Client, seen_ago: timedelta | None) -> None:
    if seen_ago:
        make_worker(seen_ago)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["worker"].startswith("No worker has reported for 30 s")
    assert answer.json()["checks"]["database"] == "ok"


@pytest.mark.django_db
def test_not_ready_while_nobody_serves_a_queue(client: Client) -> None:
    make_worker(name="people@here", queues=["mail", "gallery", "scoring"])
    make_worker(2 * SILENCE, name="site@here", queues=["hidden"])
    make_worker(name="programs@here", queues=["programs"])
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["worker"] == "ok"
    assert answer.json()["checks"]["queues"].startswith("No worker serves hidden:")


NO_BUBBLEWRAP = {"guards": [{"name": "bubblewrap", "holds": False, "detail": "bwrap is missing."}]}


@pytest.mark.django_db
@pytest.mark.parametrize(("production", "status"), [(True, 503), (False, 200)])
def test_a_sandbox_that_lacks_a_guard_is_named_and_the_rest_works(
    client: Client, settings, production: bool, status: int
) -> None:
    settings.PRODUCTION = production
    make_worker(name="programs@here", sandbox=NO_BUBBLEWRAP)
    answer = client.get("/readyz")
    assert answer.status_code == status
    told = answer.json()["checks"].pop("sandbox")
    assert told.startswith("Blocked: no sandbox on this server (bubblewrap).")
    assert set(answer.json()["checks"].values()) - {told} == {"ok"}
    assert client.get("/").status_code == 200


@pytest.mark.django_db
def test_one_runner_with_all_guards_is_enough(client: Client) -> None:
    make_worker(name="programs@here", sandbox=NO_BUBBLEWRAP)
    make_worker(name="programs@there", sandbox={"guards": [{"name": "bubblewrap", "holds": True}]})
    assert client.get("/readyz").json()["checks"]["sandbox"] == "ok"


@pytest.mark.django_db
def test_a_broker_that_is_away_is_named_without_its_address(client: Client, settings) -> None:
    from pwmsite.celery import app

    url = app.conf.broker_url
    app.conf.broker_url = "redis://:password@127.0.0.1:1/0"
    try:
        answer = client.get("/readyz")
    finally:
        app.conf.broker_url = url
    assert answer.json()["checks"]["broker"] == "The broker cannot be used; the log says why."
    assert b"password" not in answer.content


@pytest.mark.django_db
def test_a_storage_that_is_away_is_named(client: Client, settings, tmp_path: Path) -> None:
    plain_file = tmp_path / "file"
    plain_file.touch()
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(plain_file)},
        }
    }
    assert "storage" in client.get("/readyz").json()["checks"]["storage"]
