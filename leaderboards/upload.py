"""Take an upload in: no larger than it may be, hashed while it streams, never opened."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any, cast

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import SkipFile, TemporaryFileUploadHandler
from django.http import HttpRequest

from modalities import physics
from modalities.models import Modality

from .expected import expectation
from .models import UPLOAD_TIERS, Attempt, private_storage

FOLDER = "submissions"  # of the private storage; in it one folder for each day


class HashedFile(UploadedFile):
    """An upload that knows its hash; what ``HashedUpload`` gives has it."""

    sha256: str


class HashedUpload(TemporaryFileUploadHandler):
    """Write an upload to a temporary file, hash it on the way, and drop it when it gets too large.

    The rest of a dropped file is read and discarded; otherwise the browser gets no answer.
    """

    def __init__(self, request: HttpRequest, most: int) -> None:
        super().__init__(request)
        self.most = most

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._hash, self._count = hashlib.sha256(), 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._count += len(raw_data)
        if self._count > self.most:
            assert self.request  # given to __init__
            self.request.upload_was_too_large = True  # type: ignore[attr-defined]
            raise SkipFile
        self._hash.update(raw_data)
        try:
            super().receive_data_chunk(raw_data, start)
        except OSError:  # the disk is full: give back at once what was taken of it
            self.file.close()
            raise

    def file_complete(self, file_size: int) -> Any:
        file = cast(HashedFile | None, super().file_complete(file_size))
        if file is not None:
            file.sha256 = self._hash.hexdigest()
        return file


def largest(modality: Modality) -> int:
    """Give the most bytes that a submission to ``modality`` may have, whatever its tier."""
    return _largest(modality.spec)


def largest_of_all() -> int:
    """Give the most bytes that any submission may have."""
    return max(_largest(physics.load(key)) for key in physics.keys())  # noqa: SIM118


def _largest(spec: physics.Spec) -> int:
    return max(expectation(spec, tier).largest_file for tier in UPLOAD_TIERS)


def limit(request: HttpRequest, most: int | None = None) -> None:
    """Hold the request's upload to ``most`` bytes, or to those that any submission may have.

    Call it before the body is read.
    """
    request.upload_handlers = [HashedUpload(request, largest_of_all() if most is None else most)]


def send(user: Any, upload: HashedFile, **fields: Any) -> tuple[Attempt, bool]:
    """Keep an upload and queue it for scoring; tell whether it is new.

    The same file by the same method to the same tier is the submission that it was the first time.
    The file is stored before the transaction, which stays short however slow the disk is. Raise
    Quota, with nothing kept, when the person may send no more for now.
    """
    storage = private_storage()
    day = datetime.now(UTC).date()
    name = storage.save(f"{FOLDER}/{day}/{uuid.uuid4().hex}.h5", upload)
    is_new = False
    try:
        made = Attempt.objects.submit(
            user, file=name, sha256=upload.sha256, size=upload.size or 0, **fields
        )
        is_new = made.file.name == name
    finally:
        if not is_new:
            storage.delete(name)
    return made, is_new
