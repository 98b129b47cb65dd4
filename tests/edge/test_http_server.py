"""What the web server does with connections, before and after the site sees a request."""

from __future__ import annotations

import io
import json
import logging
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from pwmsite import http_server, web_worker
from pwmsite.http_server import Lanes, Rules, serve
from tests.sites import wait

from . import clients

LARGEST = 1000
UPLOAD = "/upload/"
ASK = b"GET /page/ HTTP/1.1\r\nHost: site\r\n"
HALF_FORM = b"POST /form/ HTTP/1.1\r\nHost: site\r\nContent-Length: 500\r\n\r\nhalf"


class Served:
    """A server whose loop turns only while a test waits for something."""

    def __init__(self, application: Any, **rules: Any) -> None:
        self.stack = ExitStack()
        listener = self.stack.enter_context(socket.create_server((clients.HOST, 0), backlog=200))
        self.port = listener.getsockname()[1]
        given = {"largest": lambda path: LARGEST, "uploads": frozenset([UPLOAD])} | rules
        self.rules = Rules(**given)
        self.lanes = Lanes(2, 1, self.rules)
        (self.server,), self.turn = serve(application, [listener], self.rules, self.lanes)
        self.stack.callback(self.lanes.shutdown, timeout=1)
        self.stack.callback(self.server.trigger.close)

    @property
    def channels(self) -> list[http_server.Channel]:
        return list(self.server.active_channels.values())

    def until(self, fact: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + clients.PATIENCE
        while not (found := fact()):
            assert time.monotonic() < deadline
            self.turn(0.02)
        return found

    def connect(self, sent: bytes = b"") -> socket.socket:
        """Connect and send; return when the server has taken the connection, and what was sent."""
        before = set(self.channels)
        client = self.stack.enter_context(clients.connect(self.port))
        (channel,) = self.until(lambda: set(self.channels) - before)
        self.send(client, sent)
        if sent:
            self.until(lambda: channel.request or not channel.is_new)
        return client

    def send(self, client: socket.socket, sent: bytes) -> None:
        client.setblocking(False)
        while sent:
            try:
                sent = sent[client.send(sent) :]
            except BlockingIOError:
                self.turn(0.02)

    def after(self, seconds: float) -> None:
        """Let the server look at its deadlines as if so much time had gone by."""
        self.server.maintenance(time.time() + seconds)

    def answer(self, client: socket.socket) -> str:
        """Read until the server closes, or the answer with its announced length is complete."""
        got = b""

        def is_complete() -> bool:
            nonlocal got
            try:
                while data := client.recv(1 << 16):
                    got += data
            except BlockingIOError:
                header, _, body = got.partition(b"\r\n\r\n")
                length = [v for v in header.lower().split(b"\r\n") if v[:15] == b"content-length:"]
                return bool(length) and len(body) >= int(length[0][15:])
            return True

        client.setblocking(False)
        self.until(is_complete)
        return got.decode("latin-1")

    def get(self, path: str, *headers: str) -> str:
        lines = [f"GET {path} HTTP/1.1", "Host: site", *headers, "", ""]
        return self.answer(self.connect("\r\n".join(lines).encode()))


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with what the site is told of the request."""
    body = environ["wsgi.input"].read()
    told = {k: v for k, v in environ.items() if isinstance(v, str)} | {"read": len(body)}
    start_response("200 OK", [])
    return [json.dumps(told | {"scheme": environ["wsgi.url_scheme"]}).encode()]


def told(answer: str) -> dict[str, Any]:
    assert answer.startswith("HTTP/1.1 200 OK"), answer
    return dict(json.loads(answer.partition("\r\n\r\n")[2]))


@pytest.fixture
def start() -> Iterator[Callable[..., Served]]:
    with ExitStack() as running:

        def make(application: Any = hello, **rules: Any) -> Served:
            made = Served(application, **rules)
            running.callback(made.stack.close)
            return made

        yield make


# ---------------------------------------------------------------- deadlines
@pytest.mark.parametrize(
    ("sent", "seconds"),
    [(ASK, http_server.HEADER_SECONDS), (HALF_FORM, http_server.BODY_SECONDS)],
    ids=["header", "body"],
)
def test_half_a_request_is_answered_408_when_its_time_is_over(start, sent, seconds):
    served = start()
    client = served.connect(sent)
    served.after(seconds - 5)
    served.turn(0)
    assert clients.is_open(client)
    served.after(seconds + 5)
    assert served.answer(client).startswith("HTTP/1.0 408" if sent == ASK else "HTTP/1.1 408")
    served.until(lambda: not served.channels)


def test_a_body_has_as_much_time_as_a_slow_line_needs(start):
    served = start(largest=lambda path: 10**7)
    announced = HALF_FORM.replace(b"500", b"5000000")
    client = served.connect(announced + bytes(80 * http_server.SLOWEST))
    (channel,) = served.channels
    served.until(lambda: channel.request.body_bytes_received >= 80 * http_server.SLOWEST)
    served.after(http_server.BODY_SECONDS + 70)
    served.turn(0)
    assert clients.is_open(client)
    served.after(http_server.BODY_SECONDS + 90)
    assert " 408 " in served.answer(client)


def test_a_connection_without_a_request_ends_in_silence(start):
    served = start()
    client = served.connect()
    served.after(http_server.HEADER_SECONDS + 5)
    assert served.answer(client) == ""


def test_a_connection_is_kept_longer_than_the_proxy_keeps_it(start):
    served = start()
    client = served.connect(ASK + b"\r\n")
    told(served.answer(client))
    served.until(lambda: served.channels[0].is_idle())
    served.after(60)
    served.turn(0)
    assert clients.is_open(client)
    served.after(http_server.IDLE_SECONDS + 5)
    assert served.answer(client) == ""


@pytest.mark.parametrize("way", ["bytes", "file"])
def test_who_does_not_read_an_answer_holds_no_thread_and_not_for_ever(start, way):
    size = 8 * 1024**2

    def large(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", str(size))])
        if way == "file":
            return environ["wsgi.file_wrapper"](io.BytesIO(bytes(size)))
        return (bytes(1 << 16) for _ in range(size >> 16))

    served = start(large)
    for _ in range(10):  # there are two threads
        served.connect(ASK + b"\r\n")
    served.until(lambda: not any(channel.requests for channel in served.channels))
    assert all(channel.total_outbufs_len for channel in served.channels)
    served.after(http_server.ANSWER_SECONDS + 5)
    served.until(lambda: not served.channels)


@pytest.mark.parametrize(
    "sent",
    [b"", clients.HALF_HEADER, clients.HALF_FORM, clients.HALF_UPLOAD],
    ids=["nothing", "half a header", "half a form", "half an upload"],
)
def test_a_reader_is_answered_while_many_have_sent_half(start, monkeypatch, sent):
    for name in ("HEADER_SECONDS", "BODY_SECONDS"):
        monkeypatch.setattr(http_server, name, clients.PATIENCE)
    served = start(largest=lambda path: 10**7)
    slow = [served.connect(sent) for _ in range(http_server.PER_CLIENT - 1)]
    told(served.get("/page/"))
    assert all(map(clients.is_open, slow))


# ---------------------------------------------------------------- how many
def test_a_client_with_too_many_connections_loses_the_slowest(start, monkeypatch):
    monkeypatch.setattr(http_server, "PER_CLIENT", 3)
    served = start()
    slow = [served.connect(ASK) for _ in range(3)]
    told(served.get("/page/"))
    assert served.answer(slow[0]) == ""
    assert all(map(clients.is_open, slow[1:]))


def test_a_full_server_gives_up_the_slowest_connection(start):
    served = start(proxies=("*",), connections=3)
    slow = [served.connect(ASK) for _ in range(3)]
    told(served.get("/page/"))
    assert served.answer(slow[0]) == ""
    assert all(map(clients.is_open, slow[1:]))


def test_a_process_may_open_more_files_than_its_connections_need():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
        assert web_worker.allow_files() == resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 512
        assert web_worker.allow_files() >= 2 * http_server.CONNECTIONS
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_behind_the_proxy_the_limit_is_for_each_of_its_clients(start, monkeypatch):
    monkeypatch.setattr(http_server, "PER_CLIENT", 2)
    go = threading.Event()

    def wait(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["HTTP_X_FORWARDED_FOR"].endswith("192.0.2.1"):
            go.wait(clients.PATIENCE)
        return hello(environ, start_response)

    served = start(wait, proxies=(clients.HOST,))
    busy = [
        served.connect(ASK + f"X-Forwarded-For: 10.{i}, 192.0.2.1\r\n\r\n".encode())
        for i in range(2)
    ]
    served.until(lambda: sum(bool(channel.requests) for channel in served.channels) == 2)
    assert " 429 " in served.get("/page/", "X-Forwarded-For: 192.0.2.1")
    go.set()
    for client in busy:
        told(served.answer(client))
    for address in ("192.0.2.1", "192.0.2.2"):
        told(served.get("/page/", f"X-Forwarded-For: {address}"))


# ---------------------------------------------------------------- how large
def chunked(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: site\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def announced(path: str, body: bytes, *more: str) -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: site", f"Content-Length: {len(body)}", *more, "", ""]
    return "\r\n".join(head).encode() + body


@pytest.mark.parametrize("form", [announced, chunked])
def test_a_body_within_its_limit_reaches_the_site(start, form):
    served = start()
    got = told(served.answer(served.connect(form("/form/", bytes(LARGEST)))))
    assert (got["CONTENT_LENGTH"], got["read"]) == (str(LARGEST), LARGEST)


@pytest.mark.parametrize("form", [announced, chunked])
def test_of_a_body_too_large_only_the_length_is_kept(start, form, monkeypatch):
    monkeypatch.setattr("tempfile.TemporaryFile", None)  # nothing may be written
    served = start()
    client = served.connect(form("/form/", bytes(3_000_000)))
    got = told(served.answer(client))
    assert (got["CONTENT_LENGTH"], got["read"]) == ("3000000", 0)
    served.send(client, ASK + b"\r\n")  # all of it was read, so the connection can be used again
    told(served.answer(client))


def test_who_asks_first_need_not_send_a_body_too_large(start):
    served = start()
    head = announced("/form/", bytes(3_000_000), "Expect: 100-continue")[:-3_000_000]
    answer = served.answer(served.connect(head))
    assert told(answer)["CONTENT_LENGTH"] == "3000000"
    assert "Connection: close" in answer


def test_a_body_without_measure_is_refused_at_once(start):
    served = start()
    head = announced("/form/", b"").replace(b"Length: 0", b"Length: 99999999999")
    assert " 413 " in served.answer(served.connect(head))


def test_a_full_disk_answers_507(start, monkeypatch):
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("waitress.buffers.TempfileBasedBuffer.__init__", full)
    served = start(largest=lambda path: 10**7)
    assert " 507 " in served.answer(served.connect(announced("/form/", bytes(3_000_000))))


# ---------------------------------------------------------------- threads
def test_neither_uploads_nor_pages_keep_others_waiting(start):
    go = threading.Event()

    def slow(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] in (UPLOAD, "/slow/"):
            go.wait(clients.PATIENCE)
        return hello(environ, start_response)

    served = start(slow)
    waiting = [served.connect(announced(UPLOAD, b"file")) for _ in range(5)]
    told(served.get("/page/"))
    waiting += [served.connect(b"GET /slow/ HTTP/1.1\r\nHost: site\r\n\r\n") for _ in range(5)]
    told(served.get("/healthz"))
    go.set()
    for client in waiting:
        told(served.answer(client))


# ---------------------------------------------------------------- what the site is told
TLS = ("X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.7")


@pytest.mark.parametrize("proxies", [("127.0.0.1",), ("10.1.1.1", "127.0.0.0/8"), ("*",)])
def test_the_proxy_is_believed(start, proxies):
    got = told(start(proxies=proxies).get("/page/", *TLS))
    assert (got["scheme"], got["HTTP_X_FORWARDED_FOR"]) == ("https", "192.0.2.7")


@pytest.mark.parametrize("proxies", [(), ("10.1.1.1",)])
def test_others_are_not_believed(start, proxies):
    got = told(start(proxies=proxies).get("/page/", *TLS))
    assert got["scheme"] == "http"
    assert not [name for name in got if "FORWARDED" in name]


def test_a_proxy_on_a_unix_socket_is_believed(tmp_path):
    rules = Rules(largest=lambda path: LARGEST)
    lanes = Lanes(1, 1, rules)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(tmp_path / "web"))
        (server,), turn = serve(hello, [listener], rules, lanes)
        client.connect(str(tmp_path / "web"))
        client.sendall(ASK + b"X-Forwarded-Proto: https\r\n\r\n")
        client.setblocking(False)
        wait(lambda: turn(0.02) or not clients.is_open(client), pause=0)
        assert told(client.recv(1 << 16).decode())["scheme"] == "https"
        lanes.shutdown(timeout=1)
        server.trigger.close()


def test_no_answer_names_the_server(start):
    served = start()
    header = served.get("/page/").partition("\r\n\r\n")[0]
    refusal = served.answer(served.connect(b"nonsense\r\n\r\n"))
    assert " 400 " in refusal
    assert not [
        said for said in (header, refusal) if "server:" in said.lower() or "aitress" in said
    ]


def test_each_refusal_leaves_one_line(start, caplog):
    """What the site answers, it logs itself."""
    caplog.set_level(logging.INFO, "pwmsite.access")
    served = start(proxies=("*",))
    served.get("/page/?token=secret", *TLS)
    served.answer(served.connect(b"nonsense\r\n\r\n"))
    served.until(lambda: caplog.records)
    (record,) = caplog.records
    line = record.msg if isinstance(record.msg, dict) else json.loads(record.getMessage())
    assert (line["event"], line["status"]) == ("refused", 400)


# ---------------------------------------------------------------- the end
def test_a_server_that_winds_up_finishes_what_it_has(start):
    go = threading.Event()

    def wait(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        go.wait(clients.PATIENCE)
        return hello(environ, start_response)

    served = start(wait)
    idle, busy = served.connect(), served.connect(ASK + b"\r\n")
    assert served.server.wind_up()
    assert served.answer(idle) == ""
    go.set()
    told(served.answer(busy))
    served.until(lambda: not served.server.wind_up())
