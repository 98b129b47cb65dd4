"""The site as deployed behind Caddy: the configuration that we ship, TLS, several web servers."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from tests import sites
from tests.needs import needs
from tests.servers import free_port, started

from . import clients

HOST = "pwm.localhost"


def configuration(caddy: str, folder: Path, port: int, web: list[int]) -> Path:
    """Write deploy/Caddyfile as JSON, with ports of this machine and nothing else changed."""
    text = (sites.ROOT / "deploy/Caddyfile").read_text()
    if "2.6.2" in subprocess.run([caddy, "version"], capture_output=True, text=True).stdout:
        # What Debian 12 has calls it otherwise.
        text = text.replace("request_buffers 1MiB", "buffer_requests\n\t\tmax_buffer_size 1MiB")
    (folder / "Caddyfile").write_text(text)
    given = {"PWM_HOST": HOST, "PWM_WEB": " ".join(f"{clients.HOST}:{p}" for p in web)}
    command = [caddy, "adapt", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    adapted = subprocess.run(command, env=os.environ | given, capture_output=True, check=True)
    made: dict[str, Any] = json.loads(adapted.stdout)
    made["admin"] = {"disabled": True}
    made["storage"] = {"module": "file_system", "root": str(folder / "certificates")}
    made["apps"]["pki"] = {"certificate_authorities": {"local": {"install_trust": False}}}
    made["apps"]["http"] |= {"http_port": free_port(), "https_port": port}
    (server,) = made["apps"]["http"]["servers"].values()
    server["listen"] = [f"{clients.HOST}:{port}"]
    (folder / "caddy.json").write_text(json.dumps(made))
    return folder / "caddy.json"


class Deployed:
    """The proxy's port, the site behind it, and the port of a second web server that is down."""

    def __init__(self, port: int, spare: int, home: sites.Site) -> None:
        self.port = port
        self.spare = spare
        self.home = home

    def connect(self, protocol: str = "http/1.1") -> ssl.SSLSocket:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols([protocol])
        made = context.wrap_socket(clients.connect(self.port), server_hostname=HOST)
        assert made.selected_alpn_protocol() == protocol
        return made

    def has_certificate(self) -> bool:
        """Tell whether Caddy, which listens before that, has made its certificate."""
        with suppress(ssl.SSLError):
            self.connect().close()
            return True
        return False

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Ask the proxy; return status, headers and content."""
        connection = http.client.HTTPConnection(HOST)
        connection.sock = self.connect()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, {"Host": f"{HOST}:{self.port}", **given})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()


@contextmanager
def deployed(folder: Path, **environment: str) -> Iterator[Deployed]:
    """Run a web server in production, with the tables and no row, behind the proxy."""
    caddy = needs("caddy")
    production = {
        "PWM_DEBUG": "0",
        "PWM_ALLOWED_HOSTS": f"{HOST},127.0.0.1,web",
        "PWM_SECRET_KEY": secrets.token_urlsafe(48),
        "PWM_STATIC": str(folder / "static"),
        "DJANGO_SETTINGS_MODULE": sites.PLAIN,
    }
    with ExitStack() as running:
        home = running.enter_context(sites.site(folder, **production | environment))
        home.migrate()
        home.manage("collectstatic", "--no-input", "--verbosity", "0")
        web = running.enter_context(home.web())
        made = Deployed(free_port(), free_port(), home)
        settings = configuration(caddy, folder, made.port, [made.spare, web])
        log = running.enter_context(home.log.open("ab"))
        mine = {"env": os.environ | {"HOME": str(folder)}, "stderr": log}
        running.enter_context(started([caddy, "run", "--config", str(settings)], made.port, **mine))
        sites.wait(made.has_certificate)
        yield made


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame of HTTP/2 (RFC 9113, section 4.1)."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + payload


def half_streams(count: int, port: int) -> bytes:
    """Begin so many forms on one connection of HTTP/2, and end none of them."""
    fields = {
        b":method": b"POST",
        b":scheme": b"https",
        b":path": b"/accounts/login/",
        b":authority": f"{HOST}:{port}".encode(),
        b"content-type": b"application/x-www-form-urlencoded",
        b"cookie": b"__Host-csrftoken=" + b"a" * 32,
    }
    # Literal fields without indexing and without Huffman's code (RFC 7541, section 6.2.2).
    block = b"".join(
        b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
        for name, value in fields.items()
    )
    sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)
    for stream in range(1, 2 * count, 2):
        sent += frame(1, 4, stream, block) + frame(0, 0, stream, b"login=half")
    return sent


def is_open(client: socket.socket) -> bool:
    """Say whether the other end keeps this connection; what it has said so far is dropped."""
    client.setblocking(False)
    try:
        while client.recv(1 << 16):
            pass
    except ssl.SSLWantReadError:
        return True
    except OSError:
        return False
    return False
