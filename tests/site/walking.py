"""Follow every link of the site, as a reader of everything would."""

from __future__ import annotations

import re

from django.test import Client

LINK = re.compile(r"(?:href|src|action|hx-get|data-[\w-]+)=\"(/[^\"#]*)|\"(/[a-z][^\"\s<>]*)\"")
# What ends a session or changes rows, and pages of Django's own that hold no data of ours, or the
# same rows in another order.
LEAVE = re.compile(r"/logout/|/admin/jsi18n|/password/|/autocomplete/|/delete/|/o/|/admin/.*[?&]o=")
MOST = 400


def body(answer) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def walk(client: Client, start: list[str]) -> dict[str, bytes]:
    """Follow every link from ``start``; give the body of each page, errors too."""
    found: dict[str, bytes] = {}
    waiting = list(start)
    while waiting and len(found) < MOST:
        place = waiting.pop(0)
        if place in found or LEAVE.search(place):
            continue
        answer = client.get(place)
        content = body(answer) + str(answer.headers).encode()
        found[place] = content
        if answer.status_code in (301, 302):
            waiting.append(answer["Location"])
        elif "html" in answer.get("Content-Type", "") or "json" in answer.get("Content-Type", ""):
            links = LINK.findall(content.decode().replace("&amp;", "&"))
            waiting += [a or b for a, b in links if not (a or b).startswith("//")]
    return found
