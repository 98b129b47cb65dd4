"""A mail server for tests (RFC 5321, the least of it): it keeps what it takes."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from typing import ClassVar


class MailServer(socketserver.ThreadingTCPServer):
    """greetings: the names by which clients greeted. refuse: what it answers to a recipient."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Session)
        self.greetings: list[str] = []
        self.mails: list[Message] = []
        self.refuse = ""

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Session(socketserver.StreamRequestHandler):
    """One connection."""

    server: MailServer
    OK: ClassVar = "250 OK"

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self) -> None:
        self.say("220 tests")
        while line := self.rfile.readline().decode().strip():
            word, _, rest = line.partition(" ")
            if word.upper() == "QUIT":
                return self.say("221 Bye")
            if word.upper() == "DATA":
                self.take()
            elif word.upper() == "RCPT" and self.server.refuse:
                self.say(self.server.refuse)
            else:
                if word.upper() == "EHLO":
                    self.server.greetings.append(rest)
                self.say(self.OK)
        return None

    def take(self) -> None:
        self.say("354 Go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        self.server.mails.append(message_from_bytes(b"".join(lines)))
        self.say(self.OK)


@contextmanager
def mail_server(port: int = 0) -> Iterator[MailServer]:
    """Run a mail server in a thread until the block ends."""
    with MailServer(port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
