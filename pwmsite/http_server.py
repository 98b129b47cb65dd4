"""HTTP that slow clients cannot hold up: a request gets a thread when all of it has arrived.

One loop per process reads all requests and sends all answers (waitress); threads only compute. A
client that sends or reads slowly holds a connection and some buffer. This module adds to waitress:
deadlines for headers and bodies, a limit of connections per client, a limit of the body that
depends on the address, threads of their own for uploads and for health, and a log of refusals.
docs/decisions/web-server.md compares this with other servers.
"""

from __future__ import annotations

import io
import ipaddress
import logging
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import structlog
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.proxy_headers import PROXY_HEADERS
from waitress.server import TcpWSGIServer, UnixWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask
from waitress.utilities import Error
from waitress.wasyncore import loop

HEADER_SECONDS = 10.0
BODY_SECONDS = 30.0  # and as many more as the body takes at SLOWEST, like Apache's mod_reqtimeout
SLOWEST = 8 * 1024  # bytes a second
ANSWER_SECONDS = 60.0  # in which a client must take some bytes of its answer
IDLE_SECONDS = 75.0  # between two requests; longer than the proxy keeps its connections
CONNECTIONS = 1000  # of one process
PER_CLIENT = 64  # of one process
DISCARDED = 256 * 1024**2  # bytes that are read of a body too large, so that its sender gets 413

access = structlog.get_logger("pwmsite.access")
logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a request that waits is no event


class RequestTimeout(Error):
    code, reason = 408, "Request Timeout"


class TooManyRequests(Error):
    code, reason = 429, "Too Many Requests"


class InsufficientStorage(Error):
    code, reason = 507, "Insufficient Storage"


@dataclass(frozen=True)
class Rules:
    """What the server must know of the site behind it.

    largest: the most bytes of a body, by path. uploads: paths whose requests get threads of their
    own, as does health. proxies: whose word on scheme and client is taken, as addresses, networks
    or ``*``; hops: how many of them a request passes. connections: how many there may be, well
    below the files that the process may open, since each may have two as buffers.
    """

    largest: Callable[[str], int]
    uploads: frozenset[str] = frozenset()
    health: str = "/healthz"
    proxies: tuple[str, ...] = ()
    hops: int = 1
    connections: int = CONNECTIONS

    def trusts(self, address: str) -> bool:
        """Say whether ``address`` is one of our proxies; whoever uses a UNIX socket is."""
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return True
        return any(
            network == "*" or ip in ipaddress.ip_network(network, strict=False)
            for network in self.proxies
        )


class Nowhere:
    """A buffer that counts bytes and keeps none."""

    def __init__(self, count: int = 0) -> None:
        self.count = count

    def append(self, data: bytes) -> None:
        self.count += len(data)

    def __len__(self) -> int:
        return self.count

    def getfile(self) -> io.BytesIO:
        return io.BytesIO()

    def close(self) -> None:
        pass


class Request(HTTPRequestParser):
    """A request while it arrives."""

    path = command = ""  # until they are known
    body_rcv: Any

    def __init__(self, adj: Adjustments, channel: Channel) -> None:
        super().__init__(adj)
        self.channel = channel
        self.begun_at = time.time()
        self.most = 0

    def parse_header(self, header_plus: bytes) -> None:
        """Read the header; decide on it whether the body is wanted."""
        super().parse_header(header_plus)
        self.most = self.channel.server.rules.largest(self.path)
        if not self.channel.is_admitted(self.headers):
            self.error = TooManyRequests("Too many requests of yours are under way.")
            self.body_rcv, self.expect_continue = None, False
        elif self.content_length > self.most:
            self.refuse_body()

    def received(self, data: bytes) -> int:
        """Take what arrived; return how much of it belongs to this request."""
        try:
            consumed: int = super().received(data)
        except OSError:  # the folder of temporary files is full
            logging.getLogger("waitress").exception("A request could not be buffered.")
            self.error = InsufficientStorage("The server cannot take this request now.")
            self.completed = True
            return len(data)
        if self.body_rcv is not None and not self.completed and len(self.body_rcv) > self.most:
            self.discard_body()
        return consumed

    def refuse_body(self) -> None:
        """Let the site answer 413 by the announced length, at once if the client waits for that."""
        if self.expect_continue:
            self.body_rcv, self.expect_continue = None, False
            self.headers["CONNECTION"] = "close"
        else:
            self.discard_body()

    def discard_body(self) -> None:
        """Count the rest of the body instead of keeping it.

        The answer comes after it, because many clients read none before they have sent all.
        """
        if not isinstance(self.body_rcv.buf, Nowhere):
            self.body_rcv.buf.close()
            self.body_rcv.buf = Nowhere(len(self.body_rcv))

    def deadline(self) -> float:
        """Return the time by which more of this request must be here."""
        if not self.headers_finished:
            return self.begun_at + HEADER_SECONDS
        return self.begun_at + BODY_SECONDS + self.body_bytes_received / SLOWEST


class Page(WSGITask):
    """A request that the site answers."""

    def get_environment(self) -> dict[str, Any]:
        """Return the WSGI environment, with what a proxy says of the client, or without it."""
        environ: dict[str, Any] = super().get_environment()
        if not self.channel.is_proxied:
            for name in PROXY_HEADERS:
                environ.pop(f"HTTP_{name}", None)
        elif environ.get("HTTP_X_FORWARDED_PROTO") == "https":
            environ["wsgi.url_scheme"] = "https"
        return environ


class Refusal(ErrorTask):
    """A request that the server answers by itself, so that the site's own log does not see it."""

    def service(self) -> None:
        try:
            super().service()
        finally:
            if self.wrote_header:
                access.info(
                    "refused",
                    method=self.request.command,
                    # Its first part alone: links in mails carry their key in the path.
                    path="/".join(self.request.path.split("/")[:2]),
                    status=int(self.status.split()[0]),
                    address=self.channel.client or self.channel.addr[0],
                )


class Channel(HTTPChannel):
    """One connection.

    client: whose it is, as far as we know: the other end, or what our proxy calls the client of
    the present request. since: when we began to wait for that client.
    """

    request: Any
    task_class = Page
    error_task_class = Refusal

    def __init__(self, server: Server, sock: Any, addr: Any, adj: Adjustments, map: Any) -> None:
        self.is_proxied = server.rules.trusts(addr[0])
        self.client = None if self.is_proxied else addr[0]
        self.since = time.time()
        self.is_new = True
        super().__init__(server, sock, addr, adj, map=map)
        if not server.makes_room_for(self):
            server.drop(self)

    def parser_class(self, adj: Adjustments) -> Request:
        self.since, self.is_new = time.time(), False
        return Request(adj, self)

    def service(self) -> None:
        super().service()
        self.since = time.time()

    def is_admitted(self, headers: dict[str, str]) -> bool:
        """Learn from our proxy whose request this is; say whether its client may have one more."""
        if self.is_proxied:
            hops = headers.get("X_FORWARDED_FOR", "").split(",")[-self.server.rules.hops :]
            self.client = hops[0].strip() or None
            return bool(self.server.makes_room_for(self))
        return True

    def is_idle(self) -> bool:
        return not (self.requests or self.request or self.total_outbufs_len)

    def deadline(self) -> float:
        """Return the time by which the client must have done something."""
        if self.requests:
            return float("inf")
        if self.total_outbufs_len:
            return float(self.last_activity) + ANSWER_SECONDS
        if self.request is not None:
            return float(self.request.deadline())
        return self.since + (HEADER_SECONDS if self.is_new else IDLE_SECONDS)

    def expire(self) -> None:
        """Answer 408 to a request that did not come in time, or close the connection."""
        with self.requests_lock:
            if self.request is None or self.requests or self.total_outbufs_len:
                self.server.drop(self)
                return
            self.request.error = RequestTimeout("The request did not arrive in time.")
            self.request.completed = True
            self.requests.append(self.request)
            self.request = None
        self.server.add_task(self)


class Lanes:
    """Threads for pages, for uploads and for health: none of them waits for another's."""

    def __init__(self, pages: int, uploads: int, rules: Rules) -> None:
        self.rules = rules
        self.pages, self.uploads, self.health = (
            self._threads(count) for count in (pages, uploads, 1)
        )

    @staticmethod
    def _threads(count: int) -> ThreadedTaskDispatcher:
        made = ThreadedTaskDispatcher()
        made.set_thread_count(count)
        return made

    def add_task(self, channel: Channel) -> None:
        request = channel.requests[0]
        if request.path == self.rules.health or request.error:
            self.health.add_task(channel)
        elif request.command == "POST" and request.path in self.rules.uploads:
            self.uploads.add_task(channel)
        else:
            self.pages.add_task(channel)

    def shutdown(self, timeout: float) -> None:
        for lane in (self.health, self.uploads, self.pages):
            lane.shutdown(timeout=timeout)


class Server(TcpWSGIServer):
    """A listening socket and its connections."""

    channel_class = Channel
    accepting: bool

    def __init__(
        self, application: Any, listener: socket.socket, rules: Rules, lanes: Lanes, map: Any
    ) -> None:
        self.rules = rules
        self.dropped: list[Channel] = []
        adj = Adjustments(
            ident=None,
            clear_untrusted_proxy_headers=False,  # Page does this, for a list of proxies
            max_request_header_size=32 * 1024,
            max_request_body_size=DISCARDED,
            connection_limit=2**31,  # makes_room_for keeps the limit, and refuses nobody
            channel_timeout=2**31,  # maintenance keeps the deadlines
            cleanup_interval=1,
            log_socket_errors=False,
        )
        info = (listener.family, listener.type, listener.proto, listener.getsockname())
        super().__init__(
            application, map, True, listener, lanes, adj, sockinfo=info, bind_socket=False
        )

    def makes_room_for(self, newcomer: Channel) -> bool:
        """Close the connection that has waited longest for its client, if there are too many.

        So the slowest go first, and a reader behind the same address still gets in. Return False
        if they all are being served, so that the newcomer must go.
        """
        others = [c for c in self.active_channels.values() if not c.will_close]
        others = [c for c in others if c is not newcomer]
        if newcomer.client is not None:
            same = [c for c in others if c.client == newcomer.client]
            same = [c for c in same if not (c.is_proxied and c.is_idle())]
            if len(same) >= PER_CLIENT:
                return self._drop_slowest(same)
        return len(others) < self.rules.connections or self._drop_slowest(others)

    def _drop_slowest(self, channels: Iterable[Channel]) -> bool:
        waiting = [channel for channel in channels if not channel.requests]
        if waiting:
            self.drop(min(waiting, key=lambda channel: channel.since))
        return bool(waiting)

    def drop(self, channel: Channel) -> None:
        """Close a connection before the next turn of the loop.

        Not at once: its number could be given to a new connection, which events of this turn would
        then hit. And ``will_close`` alone waits until the client reads.
        """
        channel.will_close = True
        self.dropped.append(channel)

    def readable(self) -> bool:
        while self.dropped:
            self.dropped.pop().handle_close()
        return bool(super().readable())

    def maintenance(self, now: float) -> None:
        """End what waits too long for its client; called once a second."""
        for channel in list(self.active_channels.values()):
            if now > channel.deadline():
                channel.expire()

    def wind_up(self) -> bool:
        """Accept no more and close idle connections; say whether others are left."""
        if self.accepting:
            self.accepting = False
            self.del_channel()
        for channel in self.active_channels.values():
            if channel.is_idle():
                channel.will_close = True
        return bool(self.active_channels)


class UnixServer(Server):
    """The same on a UNIX socket."""

    getsockname = UnixWSGIServer.getsockname
    fix_addr = UnixWSGIServer.fix_addr

    def set_socket_options(self, conn: Any) -> None:
        pass


def serve(
    application: Any, listeners: Iterable[socket.socket], rules: Rules, lanes: Lanes
) -> tuple[list[Server], Callable[[float], None]]:
    """Return the servers of these sockets, and a function that runs them for some seconds."""
    channels: dict[int, Any] = {}
    servers = [
        (UnixServer if listener.family == socket.AF_UNIX else Server)(
            application, listener, rules, lanes, channels
        )
        for listener in listeners
    ]

    def turn(seconds: float) -> None:
        loop(timeout=seconds, use_poll=True, map=channels, count=1)

    return servers, turn
