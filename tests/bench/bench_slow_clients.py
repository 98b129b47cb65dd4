"""What readers notice of slow clients and of uploads: seconds per page, and uploads that got lost.

``python -m tests.bench.bench_slow_clients [SECONDS]`` runs the web server of ``make run`` with an
empty site. Sixty clients send a byte a second of a header, a form or an upload, and connect again
when they are sent away. Twenty others upload 2 MB each over half of the time. Ten readers ask for
one page after the other. It fails if a page takes more than 2 s, or if the site has another number
of submissions than it said to have taken.
"""

import http.client
import os
import secrets
import socket
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from statistics import median

from tests import sites
from tests.edge import clients

SLOW, UPLOADS, READERS = 60, 20, 10
SECONDS = 120.0
LONGEST = 2.0  # seconds that a page may take
SIZE = 2_000_000
PAGES = ("/", "/modalities/stem/", "/about/", "/methods/", "/healthz")

PREPARE = """
from django.contrib.auth import get_user_model
from leaderboards.catalogue import sync_everything
from leaderboards.models import Method
from modalities.models import Modality
from pwmsite.models import ApiToken
from tests.challenge import own_method
sync_everything()
user = get_user_model().objects.create_user("ada", password="not used")
method = own_method(user, Modality.objects.get(key="stem"))
token = ApiToken.objects.make(user, "bench")[1]
"""


def drip(port: int, until: float) -> int:
    """Be all slow clients; return how often one of them had to connect again."""
    halves = (clients.HALF_HEADER, clients.HALF_FORM, clients.HALF_UPLOAD)
    held: list[socket.socket | None] = [None] * SLOW
    again = -SLOW
    while time.monotonic() < until:
        for i, client in enumerate(held):
            try:
                if client is None:
                    raise ConnectionError
                client.send(b"x")
                if not clients.is_open(client):
                    raise ConnectionError
            except OSError:
                again += 1
                if client:
                    client.close()
                made = clients.connect(port)
                made.sendall(halves[i % len(halves)])
                held[i] = made
        time.sleep(1)
    for client in held:
        if client:
            client.close()
    return again


def upload(port: int, token: str, method: str, seconds: float) -> int:
    """Send one file in small pieces over ``seconds``; return the status of the answer."""
    boundary = secrets.token_hex(8)
    fields = {"modality": "stem", "tier": "public", "method": method}
    body = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ).encode()
    body += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="x.h5"'.encode()
    body += b"\r\n\r\n" + secrets.token_bytes(SIZE) + f"\r\n--{boundary}--\r\n".encode()
    connection = http.client.HTTPConnection(clients.HOST, port, timeout=clients.PATIENCE)
    connection.putrequest("POST", "/api/v1/submissions/")
    connection.putheader("Authorization", f"Bearer {token}")
    connection.putheader("Content-Type", f"multipart/form-data; boundary={boundary}")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    step = len(body) // 50 + 1
    for first in range(0, len(body), step):
        connection.send(body[first : first + step])
        time.sleep(seconds / 50)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def measure(seconds: float) -> tuple[dict[str, list[float]], list[int], int, int]:
    """Return seconds by page, answers to uploads, submissions in the site, and reconnections."""
    taken: dict[str, list[float]] = {page: [] for page in PAGES}
    answers: list[int] = []
    again: list[int] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        sites.site(Path(folder), DJANGO_SETTINGS_MODULE=sites.PLAIN) as home,
    ):
        home.manage("migrate", "--verbosity", "0")
        home.do(PREPARE)
        token, method = home.do("token"), home.do("method.slug")
        with home.web(processes=2) as port:
            for page in PAGES:  # drawn once, so that both processes have them in their caches
                for _ in range(8):
                    assert clients.status(port, page) == 200, page
            until = time.monotonic() + seconds

            def read(first: int) -> None:
                n = first
                while time.monotonic() < until:
                    page = PAGES[n % len(PAGES)]
                    begun = time.monotonic()
                    status = 0
                    with suppress(OSError, http.client.HTTPException):
                        status = clients.status(port, page)
                    taken[page].append(time.monotonic() - begun if status == 200 else float("inf"))
                    n += 1
                    time.sleep(0.2)

            def send() -> None:
                answers.append(upload(port, token, method, seconds / 2))

            threads = [threading.Thread(target=lambda: again.append(drip(port, until)))]
            threads += [threading.Thread(target=read, args=[n]) for n in range(READERS)]
            threads += [threading.Thread(target=send) for _ in range(UPLOADS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        kept = home.do("__import__('leaderboards.models').models.Attempt.objects.count()")
    return taken, answers, kept, again[0]


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    begun = os.getloadavg()[0]
    taken, answers, kept, again = measure(seconds)
    for page, each in taken.items():
        worst = sorted(each)[-max(len(each) // 100, 1)]
        print(  # noqa: T201
            f"{page:<20}{len(each):6} requests   median {1000 * median(each):6.0f} ms"
            f"   99 % {1000 * worst:6.0f} ms   longest {max(each):5.2f} s"
        )
    print(  # noqa: T201
        f"{SLOW} slow clients, sent away {again} times; of {UPLOADS} uploads"
        f" {answers.count(201)} taken, {kept} kept; load before {begun:.1f}"
    )
    longest = max(max(each) for each in taken.values())
    return int(longest > LONGEST or answers != [201] * UPLOADS or kept != UPLOADS)


if __name__ == "__main__":
    sys.exit(main())
