"""The site as deployed: PostgreSQL, Redis and S3, production settings, a proxy that ends TLS."""

import json
import os
import re
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from moto.server import ThreadedMotoServer

from tests import servers

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300.0  # seconds; only ends a wait that would go on for ever


@dataclass
class Deployment:
    """Where the web server listens, and the variables that every process of the site has."""

    port: int
    environment: dict[str, str]

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def get(self, path: str, scheme: str = "https") -> tuple[int, dict[str, str], bytes]:
        """Ask as the proxy does: it names the host, and the scheme that the browser used."""
        headers = {"Host": "pwm.example.org", "X-Forwarded-Proto": scheme}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.build_opener(Stay).open(request, timeout=PATIENCE) as page:
                return page.status, dict(page.headers), page.read()
        except urllib.error.HTTPError as refused:
            return refused.code, dict(refused.headers), refused.read()


class Stay(urllib.request.HTTPRedirectHandler):
    """Do not follow redirections."""

    def redirect_request(self, *_: object) -> None:
        return None


@pytest.fixture(scope="module")
def deployment(
    postgres_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE production")
    with ExitStack() as running:
        store = ThreadedMotoServer(port=0, verbose=False)
        store.start()
        running.callback(store.stop)
        endpoint = "?endpoint=http://{}:{}&region=us-east-1".format(*store.get_host_and_port())
        port = servers.free_port()
        inherited = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("PWM_", "PYTEST", "DJANGO_ALLOW_"))
        }
        site = Deployment(
            port,
            inherited
            | {
                "PWM_DEBUG": "0",
                "PWM_ALLOWED_HOSTS": "pwm.example.org",
                "PWM_SECRET_KEY": secrets.token_urlsafe(48),
                "PWM_DATA_KEY": secrets.token_urlsafe(48),
                "PWM_SIGNING_KEY": secrets.token_urlsafe(48),
                "PWM_DATABASE_URL": postgres_url.removesuffix("pwm") + "production",
                "PWM_BROKER_URL": redis_url.removesuffix("0") + "1",
                "PWM_CACHE_URL": redis_url.removesuffix("0") + "2",
                "PWM_STORAGE": f"s3://pwm/files{endpoint}",
                "PWM_PRIVATE_STORAGE": f"s3://pwm-private{endpoint}",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "PWM_VAR": str(tmp_path_factory.mktemp("var")),
                "PWM_BIND": f"127.0.0.1:{port}",
                "PWM_WORKERS": "1",
                "PWM_METRICS_TOKEN": "swordfish",
            },
        )
        assert "Made the bucket pwm-private." in site.manage("make_buckets")
        assert "Password:" in site.manage("prepare")
        options = {"cwd": ROOT, "env": site.environment, "stderr": subprocess.DEVNULL}
        web = [sys.executable, "-m", "gunicorn", "-c", "pwmsite/server.py"]
        kept = {"PWM_DATA_KEY", "PWM_SIGNING_KEY"}
        blind = {k: v for k, v in site.environment.items() if k not in kept}
        # A machine of its own: nothing but the database, Redis and S3 is shared with `prepare`.
        blind["PWM_VAR"] = str(tmp_path_factory.mktemp("web"))
        running.enter_context(servers.started(web, port, **options | {"env": blind}))
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "pwmsite", "worker", "--queues", "gallery"],
            stdout=subprocess.DEVNULL,
            **options,
        )
        running.callback(worker.wait)
        running.callback(worker.terminate)
        yield site


def test_all_is_ready_but_the_queues_that_nobody_serves(deployment: Deployment) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        status, _, body = deployment.get("/readyz")
        checks = json.loads(body)["checks"]
        unserved = checks.pop("queues")
        if set(checks.values()) == {"ok"}:
            break
        time.sleep(1)
    assert set(checks.values()) == {"ok"}, body
    # The worker here has no truth to score with, and takes people's gallery runs alone.
    assert status == 503
    assert unserved.startswith("No worker serves mail and scoring and hidden and programs:")


def test_pages_come_over_https_alone_and_say_so(deployment: Deployment) -> None:
    status, headers, _ = deployment.get("/", scheme="http")
    assert (status, headers["Location"]) == (301, "https://pwm.example.org/")
    status, headers, _ = deployment.get("/")
    assert status == 200
    assert "max-age=31536000" in headers["Strict-Transport-Security"]
    assert "script-src 'self'" in headers["Content-Security-Policy"]


def test_static_files_have_a_hash_in_their_name_and_are_kept_for_ever(
    deployment: Deployment,
) -> None:
    page = deployment.get("/about/")[2].decode()
    (style, *_) = re.findall(r'href="(/static/css/site\.[0-9a-f]+\.css)"', page)
    status, headers, _ = deployment.get(style)
    assert status == 200
    assert "immutable" in headers["Cache-Control"]


def test_another_host_is_refused(deployment: Deployment) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{deployment.port}/about/",
        headers={"Host": "evil.example.org", "X-Forwarded-Proto": "https"},
    )
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request, timeout=PATIENCE)


def test_metrics_are_not_public(deployment: Deployment) -> None:
    assert deployment.get("/metrics")[0] == 404


def test_files_are_kept_in_the_store(deployment: Deployment) -> None:
    kept = deployment.manage(
        "shell",
        "--no-imports",
        "-c",
        "from django.core.files.base import ContentFile\n"
        "from django.core.files.storage import default_storage as s\n"
        "print(s.open(s.save('runs/1/a.npz', ContentFile(b'array'))).read(), s.bucket_name)",
    )
    assert kept.strip() == "b'array' pwm"
