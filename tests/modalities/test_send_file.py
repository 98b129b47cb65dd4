"""A download can be resumed, checked, and never mixes two versions."""

from __future__ import annotations

import base64
import hashlib
import io

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory
from waitress.buffers import ReadOnlyFileBasedBuffer

from modalities import send_file

CONTENT = bytes(range(256)) * 400
SHA = hashlib.sha256(CONTENT).hexdigest()


def get(method: str = "get", **headers: str):
    request = getattr(RequestFactory(), method)("/", headers=headers)
    return send_file.response(request, io.BytesIO(CONTENT), len(CONTENT), SHA, "stem-public.h5")


def body(answer) -> bytes:
    return b"".join(answer.streaming_content)


def test_the_whole_file_comes_with_name_length_and_checksum():
    answer = get()
    assert answer.status_code == 200
    assert body(answer) == CONTENT
    assert answer["Content-Length"] == str(len(CONTENT))
    assert answer["Content-Disposition"] == 'attachment; filename="stem-public.h5"'
    digest = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    assert answer["Repr-Digest"] == f"sha-256=:{digest}:"


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=100-70000", 100, 70000),
        ("bytes=102300-", 102300, 102399),
        ("bytes=-10", 102390, 102399),
        ("bytes=102399-999999", 102399, 102399),
        ("bytes=-999999", 0, 102399),
    ],
)
def test_a_range_gives_just_these_bytes(wanted, first, last):
    answer = get(Range=wanted)
    assert answer.status_code == 206
    assert answer["Content-Range"] == f"bytes {first}-{last}/{len(CONTENT)}"
    assert body(answer) == CONTENT[first : last + 1]
    assert answer["Content-Length"] == str(last + 1 - first)


@pytest.mark.parametrize("wanted", ["bytes=102400-", "bytes=5-2", "bytes=-0"])
def test_a_range_outside_the_file_is_refused(wanted):
    answer = get(Range=wanted)
    assert answer.status_code == 416
    assert answer["Content-Range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize("wanted", ["bytes=-", "bytes=a-b", "lines=0-4", "bytes=0-1,5-6"])
def test_what_is_not_one_range_gives_the_whole_file(wanted):
    assert get(Range=wanted).status_code == 200


def test_a_range_of_another_version_gives_the_whole_new_file():
    assert get(**{"Range": "bytes=5-", "If-Range": '"old"'}).status_code == 200
    assert get(**{"Range": "bytes=5-", "If-Range": f'"{SHA}"'}).status_code == 206


def test_an_unchanged_file_is_not_sent_again():
    assert get(**{"If-None-Match": f'"{SHA}"'}).status_code == 304


def test_head_tells_the_length_and_sends_nothing():
    answer = get("head")
    assert answer["Content-Length"] == str(len(CONTENT))
    assert answer.content == b""


class File(io.BytesIO):
    """A file that a WSGI handler can hang its own ``close`` on."""


class Handler(WSGIHandler):
    """Django's handler with one answer for all requests."""

    def __init__(self, answer):
        self.answer = answer

    def get_response(self, request):
        return self.answer


@pytest.mark.django_db  # the end of an answer looks after connections to the database
def test_the_web_server_gets_the_file_where_the_range_begins_and_closes_it():
    file = File(CONTENT)
    request = RequestFactory().get("/", headers={"Range": "bytes=100-70000"})
    answer = send_file.response(request, file, len(CONTENT), SHA, "stem-public.h5")
    environ = {**request.environ, "wsgi.file_wrapper": ReadOnlyFileBasedBuffer}
    sent = Handler(answer)(environ, lambda *_: None)
    assert sent.prepare(int(answer["Content-Length"])) == 69901
    assert sent.get() == CONTENT[100:70001]
    sent.close()
    assert file.closed
