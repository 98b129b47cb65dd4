"""Operators see what waits, who works and what failed; nobody else does."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.test import Client

from pwmsite.tasks import remove_unfinished
from tests.factories import make_worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_user("op", is_staff=True))
    return client


@pytest.mark.parametrize("path", ["/operations/", "/metrics"])
def test_a_visitor_sees_neither_page_nor_metrics(client: Client, path: str) -> None:
    assert client.get(path).status_code in {302, 404}


def test_staff_see_which_guard_of_the_sandbox_is_missing(staff: Client) -> None:
    guards = [
        {"name": "bubblewrap", "holds": True, "detail": "It is there."},
        {"name": "network", "holds": False, "detail": "A socket could be opened."},
    ]
    make_worker(name="programs@here", sandbox={"guards": guards})
    page = staff.get("/operations/").content.decode()
    assert "missing: A socket could be opened." in page
    assert "holds: It is there." in page


def test_staff_see_the_workers_and_the_queues(staff: Client) -> None:
    make_worker(name="celery@here")
    page = staff.get("/operations/").content.decode()
    assert "celery@here" in page
    assert "gallery" in page


def test_a_silent_worker_is_shown_as_such(staff: Client) -> None:
    make_worker(seen_ago=timedelta(hours=2))
    assert "2\xa0hours ago" in staff.get("/operations/").content.decode()


def test_metrics_are_for_who_brings_the_token(client: Client, settings) -> None:
    settings.PWM_METRICS_TOKEN = "swordfish"
    make_worker(queues=["gallery"])
    assert client.get("/metrics", headers={"Authorization": "Bearer trout"}).status_code == 404
    text = client.get("/metrics", headers={"Authorization": "Bearer swordfish"}).content.decode()
    assert "pwm_worker_processes 2" in text
    assert 'pwm_queue_processes{queue="gallery"} 2' in text
    assert 'pwm_queue_processes{queue="scoring"} 0' in text
    assert 'pwm_jobs{kind="run",queue="gallery",state="waiting"} 0' in text


def test_housekeeping_removes_what_a_dead_writer_left(settings, tmp_path: Path) -> None:
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "modalities.storage.WholeFileStorage",
            "OPTIONS": {"location": str(tmp_path)},
        }
    }
    kept = storages["default"].save("whole", ContentFile(b"whole"))
    left = tmp_path / ".unfinished-1"
    left.write_bytes(b"hal")
    os.utime(left, (0, 0))
    assert remove_unfinished() >= 1
    assert not left.exists()
    assert storages["default"].exists(kept)
