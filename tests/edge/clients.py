"""Clients that send half of what they announce, or do not read what they asked for."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

HOST = "127.0.0.1"
PATIENCE = 120.0  # seconds; only ends a wait that would go on for ever

HALF_HEADER = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: "
HALF_FORM = (
    b"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000\r\n"
    b"Cookie: csrftoken=" + b"a" * 32 + b"\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\nlogin=half"
)
HALF_UPLOAD = (
    b"POST /submissions/new/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3000000\r\n"
    b"Content-Type: multipart/form-data; boundary=half\r\n\r\n--half\r\n" + b"x" * 100_000
)


def connect(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=PATIENCE)


@contextmanager
def waiting(port: int, sent: bytes, count: int) -> Iterator[list[socket.socket]]:
    """Hold ``count`` connections on which ``sent`` was sent, and nothing after it."""
    with ExitStack() as held:
        clients = [held.enter_context(connect(port)) for _ in range(count)]
        for client in clients:
            client.sendall(sent)
        yield clients


def is_open(client: socket.socket) -> bool:
    """Say whether the server has neither answered nor closed this connection."""
    client.setblocking(False)
    try:
        client.recv(1, socket.MSG_PEEK)
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    return False


def status(port: int, path: str) -> int:
    """Ask for ``path`` on a new connection."""
    connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()
