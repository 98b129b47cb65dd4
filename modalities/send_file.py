"""Send a stored file whole or in part (RFC 9110, section 14), with its name and its checksum."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import IO, Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.http import quote_etag

BLOCK = 1 << 16
# No file has more bytes than 18 digits can count; a longer range is ignored, as any odd one.
RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def response(
    request: HttpRequest, file: IO[Any], size: int, sha256: str, name: str
) -> HttpResponse:
    """Answer a GET or HEAD for ``file``: all of it, one range, 304 or 416.

    A range is honoured only if the file is still the one that ``If-Range`` names, so that a resumed
    download never joins halves of two versions.
    """
    tag = quote_etag(sha256)
    if request.headers.get("If-None-Match") == tag:
        file.close()
        return _with_headers(HttpResponse(status=304), tag, sha256, name)
    wanted = request.headers.get("Range", "")
    if request.headers.get("If-Range", tag) != tag:
        wanted = ""
    match = RANGE.fullmatch(wanted.strip())
    if not match or match.groups() == ("", ""):
        answer = _body(request, file, 0, size, 200)
        return _with_headers(answer, tag, sha256, name)
    first, last = _ends(match[1], match[2], size)
    if first > last:
        file.close()
        refused = HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
        return _with_headers(refused, tag, sha256, name)
    answer = _body(request, file, first, last + 1 - first, 206)
    answer.headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return _with_headers(answer, tag, sha256, name)


def _ends(first: str, last: str, size: int) -> tuple[int, int]:
    """Turn the two numbers of a range, of which one may be missing, into first and last byte."""
    if not first:
        return max(size - int(last), 0), size - 1 if int(last) else -1
    return int(first), min(int(last), size - 1) if last else size - 1


def _body(
    request: HttpRequest, file: IO[Any], first: int, count: int, status: int
) -> HttpResponse | StreamingHttpResponse:
    if request.method == "HEAD":
        file.close()
        answer: HttpResponse | StreamingHttpResponse = HttpResponse(status=status)
    else:
        answer = Part(file, first, count, status)
    answer.headers["Content-Length"] = str(count)
    return answer


class Part(StreamingHttpResponse):
    """A part of a file.

    As with Django's FileResponse, the web server may send the file by itself, from its present
    position to the announced length, so that a client that reads slowly holds no thread.
    """

    block_size = BLOCK

    def __init__(self, file: IO[Any], first: int, count: int, status: int) -> None:
        super().__init__(_blocks(file, first, count), status=status)
        file.seek(first)
        self.file_to_stream = file
        self._close_file = file.close  # Django lets the server call our ``close`` in its place

    def close(self) -> None:
        super().close()
        self._close_file()


def _blocks(file: IO[Any], first: int, count: int) -> Iterator[bytes]:
    with file:
        file.seek(first)
        while count > 0 and (block := file.read(min(BLOCK, count))):
            count -= len(block)
            yield block


def _with_headers(answer: Any, tag: str, sha256: str, name: str) -> Any:
    digest = base64.b64encode(bytes.fromhex(sha256)).decode()
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Type": "application/x-hdf5",
        "Content-Disposition": f'attachment; filename="{name}"',
        "ETag": tag,
        "Repr-Digest": f"sha-256=:{digest}:",
        "Cache-Control": "public, no-cache",
    }
    for header, value in headers.items():
        answer.headers[header] = value
    return answer
