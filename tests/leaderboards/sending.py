"""Programs in tests: what a person sends, and runs that ended as the sandbox would have them."""

from __future__ import annotations

import hashlib
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now

from leaderboards import programs
from leaderboards.models import Attempt, Ending, Method, ProgramRun, run_storage
from leaderboards.programs import ENDINGS

SCRIPT = b"print('hello')\n"


def form_data(method: Method, source: bytes = SCRIPT, /, **more: Any) -> dict[str, Any]:
    """Fill in the form of programs, or the API's multipart body."""
    file = SimpleUploadedFile("algo.py", source)
    given = {"modality": method.modalities.get().key, "method": method.slug, "tier": "public"}
    return given | {"form": "script", "file": file} | more


def send(method: Method, source: bytes = SCRIPT, tier: str = "hidden") -> Attempt:
    """Queue a run of a script, as its page does."""
    upload: Any = SimpleUploadedFile("algo.py", source)
    upload.sha256 = hashlib.sha256(source).hexdigest()
    fields = {"modality": method.modalities.get(), "method": method, "tier": tier}
    made, _is_new = programs.submit_program(method.owner, upload, form="script", **fields)
    return made


def end(attempt: Attempt, ending: Ending, log: str = "", **fields: Any) -> Attempt:
    """Let a run have ended like this, before anything was scored."""
    assert attempt.claim("runner")
    if ending == Ending.OUTPUT_REFUSED:
        fields |= dict.fromkeys(("input_sha256", "output_sha256", "runtime_sha256"), "1" * 64)
    name = run_storage().save(f"attempts/{attempt.pk}/log.txt", ContentFile(log.encode()))
    ProgramRun.objects.filter(pk=attempt.pk).update(
        ending=ending, log=name, ran_at=Now(), cpu_seconds=3.3, peak_memory_mb=71.0, **fields
    )
    is_servers = ending in (Ending.BLOCKED, Ending.SERVER)
    code, told = ending.value, ENDINGS[ending]
    (attempt.fail if is_servers else attempt.refuse)(code, told)
    return Attempt.objects.select_related("program").get(pk=attempt.pk)
