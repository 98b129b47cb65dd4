"""Without Redis, cache and broker, the site works, except that nobody can sign in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from django.test import Client
from rest_framework.throttling import SimpleRateThrottle

from pwmsite import api_limits, environment, shared_cache
from pwmsite.celery import app
from tests import challenge
from tests.chaos.servers import Redis
from tests.factories import make_user

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def server(server_folder: Path) -> Iterator[Redis]:
    running = Redis(server_folder)
    yield running
    running.kill()


@pytest.fixture
def redis(server: Redis, settings, monkeypatch) -> Redis:
    """A Redis that runs and is the site's cache and broker; nothing of it is remembered."""
    if server.process.poll() is not None:
        server.start()
    monkeypatch.setattr(shared_cache.Client, "ask_again_at", 0.0)
    settings.CACHES = {"default": environment.cache(server.url)}
    broker = environment.broker(server.url, Path())
    for name, value in (("url", broker["url"]), ("transport_options", broker["options"])):
        monkeypatch.setitem(app.conf, f"broker_{name}", value)
    cache.clear()
    return server


def sign_in(client: Client):
    return client.post("/accounts/login/", {"login": "ada", "password": PASSWORD})


def ask_again() -> None:
    """Do not wait until the process asks Redis again."""
    shared_cache.Client.ask_again_at = 0.0


def test_what_the_cache_holds_is_gone_and_no_error(redis):
    cache.set("a", 1)
    assert cache.get("a") == 1
    redis.kill()
    for call, miss in (
        (lambda: cache.get("a", "miss"), "miss"),
        (lambda: cache.get_many(["a"]), {}),
        (lambda: cache.set("a", 2), None),
        (lambda: cache.set_many({"a": 2}), []),
        (lambda: cache.add("b", 2), False),
        (lambda: cache.touch("a"), False),
        (lambda: cache.has_key("a"), False),
        (lambda: cache.delete("a"), False),
        (lambda: cache.delete_many(["a"]), None),
        (lambda: cache.clear(), False),
    ):
        ask_again()
        assert call() == miss
    with pytest.raises(ValueError, match="not found"):
        cache.incr("a")


def test_it_is_not_asked_again_at_once(redis, monkeypatch):
    redis.kill()
    cache.get("a")
    assert time.monotonic() < shared_cache.Client.ask_again_at
    monkeypatch.setattr(shared_cache.RedisCacheClient, "get", lambda *_: pytest.fail("asked"))
    assert cache.get("a") is None


def test_the_cache_is_used_again_when_redis_is_back(redis):
    redis.kill()
    assert cache.get("a") is None
    redis.start()
    ask_again()
    cache.set("a", 1)
    assert cache.get("a") == 1


def test_pages_come_and_readyz_names_the_parts(redis, client):
    redis.kill()
    for path in ("/", "/about/", "/methods/", "/accounts/login/", "/api/v1/modalities/"):
        ask_again()
        assert client.get(path).status_code == 200, path
    answer = client.get("/readyz")
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/json")
    checks = answer.json()["checks"]
    assert checks["cache"] == "The cache cannot be used; the log says why."
    assert checks["broker"] == "The broker cannot be used; the log says why."
    assert checks["database"] == "ok"


def test_nobody_signs_in_while_nobody_counts_and_a_sentence_says_so(redis, client):
    make_user(username="ada", password=PASSWORD)
    redis.kill()
    answer = sign_in(client)
    assert answer.status_code == 503
    assert "Nobody can sign in or sign up at the moment" in answer.content.decode()
    assert "_auth_user_id" not in client.session
    redis.start()
    ask_again()
    assert sign_in(client).status_code == 302


def test_who_tries_too_often_is_told_so(redis, client):
    answers = [sign_in(client) for _ in range(31)]
    assert answers[-1].status_code == 429
    assert "tried too often" in answers[-1].content.decode()


@pytest.mark.parametrize("is_member", [False, True])
def test_each_process_counts_what_is_asked_of_the_api(redis, client, monkeypatch, is_member):
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {"anon": "5/min", "user": "5/min"})
    monkeypatch.setattr(shared_cache, "PAUSE", 3600.0)
    api_limits.counts.here.clear()
    if is_member:
        client.force_login(make_user())
    redis.kill()
    answers = [client.get("/api/v1/modalities/").status_code for _ in range(7)]
    assert answers == [200] * 5 + [429] * 2
    redis.start()
    ask_again()
    assert client.get("/api/v1/modalities/").status_code == 200


def test_who_is_signed_in_uploads(redis, client, settings, tmp_path):
    user = make_user(username="ada")
    client.force_login(user)
    stem = challenge.open_challenge(settings, tmp_path, catalogue=False)
    method = challenge.own_method(user, stem)
    redis.kill()
    sent = client.post("/submissions/new/", challenge.form_data(method, b"no file at all"))
    assert sent.status_code == 302
    assert client.get(sent["Location"]).status_code == 200
