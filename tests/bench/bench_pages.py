"""What pages cost: CPU time per request, as a multiple of a view that says hello.

``python -m tests.bench.bench_pages`` uses a site of its own in a temporary folder. Ratios hold on
any machine; the milliseconds are this one's.
"""

import os
import tempfile
import time
from collections.abc import Callable
from statistics import median
from typing import Any

ROUNDS = 15
TARGETS = {
    "modality page, cold": 40.0,
    "modality page, cached": 3.0,
    "modality page, not modified": 2.5,
    "home, cold": 50.0,
    "home, cached": 3.0,
}


def cpu(request: Callable[[], Any], before: Callable[[], Any] = lambda: None) -> float:
    """Return the median CPU time of ``request`` in milliseconds; ``before`` is not counted."""
    taken = []
    for _ in range(ROUNDS):
        before()
        begun = time.process_time()
        request()
        taken.append(time.process_time() - begun)
    return 1000 * median(taken)


def measure(key: str = "stem") -> dict[str, float]:
    """Ask the site's own pages through Django's handler, with all middleware."""
    from django.core.cache import cache
    from django.test import Client

    client = Client(headers={"Accept-Encoding": "gzip"})
    page = f"/modalities/{key}/"
    etag = client.get(page)["ETag"]
    unchanged = {"If-None-Match": etag, "Accept-Encoding": "gzip"}
    assert client.get(page, headers=unchanged).status_code == 304
    return {
        "hello": cpu(lambda: client.get("/healthz")),
        "modality page, cold": cpu(lambda: client.get(page), before=cache.clear),
        "modality page, cached": cpu(lambda: client.get(page)),
        "modality page, not modified": cpu(lambda: client.get(page, headers=unchanged)),
        "home, cold": cpu(lambda: client.get("/"), before=cache.clear),
        "home, cached": cpu(lambda: client.get("/")),
        "boards in the API": cpu(lambda: client.get(f"/api/v1/modalities/{key}/boards/challenge/")),
        "about": cpu(lambda: client.get("/about/")),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"PWM_VAR": folder, "DJANGO_SETTINGS_MODULE": "pwmsite.settings"}
        os.environ |= {"PWM_COLLECTED": "1", "PWM_ALLOWED_HOSTS": "testserver"}
        import django

        django.setup()
        from django.core.management import call_command

        call_command("prepare")
        found = measure()
    hello = found.pop("hello")
    print(f"\n{'hello':<30}{hello:8.2f} ms")  # noqa: T201
    for name, taken in found.items():
        target = f"   target ≤ {TARGETS[name]:g}" if name in TARGETS else ""
        print(f"{name:<30}{taken:8.2f} ms {taken / hello:8.1f} × hello{target}")  # noqa: T201


if __name__ == "__main__":
    main()
