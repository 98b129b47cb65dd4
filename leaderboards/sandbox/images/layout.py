"""Find the one image in an archive: its layers, and what its configuration says of the program.

Both forms are read: an OCI image layout (``podman save --format oci-archive``, ``docker save`` from
version 25 on) and what Docker wrote before, with a ``manifest.json`` in the place of an index.
"""

from __future__ import annotations

import hashlib
import json
import platform
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .caps import BadArchive, Budget, Caps, shown
from .members import Kind, members
from .streams import Hashed, Part, exactly

DIGEST = re.compile(r"sha256:([0-9a-f]{64})", re.ASCII)
VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,127})=([^\0]*)", re.ASCII | re.DOTALL)
MOST_WORDS = 64  # of a command, and variables
LONGEST_WORD = 4096  # characters
MOST_INDEXED = 10_000  # members of the archive itself
DEEPEST_INDEX = 3
MOST_MANIFESTS = 100
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Layer:
    """One layer: its file in the archive, and the digests of that file and of the tar in it.

    digest: None where the archive names none, as Docker's older form.
    """

    name: str
    digest: str | None
    diff_id: str


@dataclass(frozen=True)
class Found:
    """The image: its layers, lowest first, its command, and the digest of its configuration."""

    layers: tuple[Layer, ...]
    argv: tuple[str, ...]
    env: dict[str, str]
    workdir: str
    sha256: str


class Archive:
    """The files of an archive, by name; of two with one name the later."""

    def __init__(self, file: int, size: int, most: Caps) -> None:
        self._file = file
        self._most = most
        self._files: dict[str, tuple[int, int]] = {}
        links: dict[str, str] = {}
        source = Part(file, 0, size)
        budget = Budget(Caps(members=MOST_INDEXED))
        for member, _ in members(source, most, budget):
            name = posixpath.normpath(member.name)
            if member.kind == Kind.FILE:
                self._files[name] = (source.at, member.size)
            elif member.kind == Kind.HARD_LINK:
                links[name] = posixpath.normpath(member.link)
            elif member.kind == Kind.SYMLINK:
                links[name] = posixpath.normpath(posixpath.join(name, "..", member.link))
        # Docker and Podman write a layer that two images share once, and a link for the second.
        for name, target in links.items():
            if target in self._files:
                self._files.setdefault(name, self._files[target])

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def open(self, name: str) -> Part:
        if name not in self._files:
            raise BadArchive([f"The archive lacks {shown(name)}, which its manifest names."])
        return Part(self._file, *self._files[name])

    def read(self, name: str, digest: str | None = None) -> bytes:
        """Return a small file, whose digest has to be the given one."""
        part = self.open(name)
        size = self._files[name][1]
        if size > self._most.json_bytes:
            raise BadArchive([f"{shown(name)} has more than {self._most.json_bytes:,} bytes."])
        source = Hashed(part)
        text = exactly(source, size)
        if digest not in (None, source.digest):
            raise BadArchive([f"{shown(name)} does not have the SHA-256 that the archive names."])
        return text


def find_image(archive: Archive, most: Caps) -> Found:
    """Return the image for this machine; refuse an archive with none or several."""
    if "index.json" in archive:
        config, layers = _of_index(archive)
    elif "manifest.json" in archive:
        config, layers = _of_docker(archive)
    else:
        raise BadArchive(
            [
                "The file is no container archive: it has neither index.json nor manifest.json. "
                "Write it with `podman save --format oci-archive` or `docker save`."
            ]
        )
    content = _json(config, "its configuration")
    _fits_machine(content)
    diff_ids = [_digest(text) for text in _list(_dict(content.get("rootfs")).get("diff_ids"))]
    if not layers:
        raise BadArchive(["The image has no layers."])
    if len(layers) > most.layers:
        raise BadArchive([f"The image has more than {most.layers} layers."])
    if len(diff_ids) != len(layers):
        raise BadArchive(["The image's configuration and manifest differ in their layers."])
    command = _dict(content.get("config"))
    return Found(
        tuple(Layer(*layer, diff_id) for layer, diff_id in zip(layers, diff_ids, strict=True)),
        _argv(command),
        _env(command),
        _workdir(command),
        hashlib.sha256(config).hexdigest(),
    )


def _of_index(archive: Archive) -> tuple[bytes, list[tuple[str, str | None]]]:
    """Return configuration and layers of an OCI image layout."""
    index = _json(archive.read("index.json"), "index.json")
    images = {_digest(found.get("digest")): found for found in _images(archive, index)}
    here = {
        digest: found
        for digest, found in images.items()
        if "platform" not in found or _platform(found["platform"]) == _this_machine()
    }
    if images and not here:
        raise _other_machine(", ".join(sorted({_platform(x["platform"]) for x in images.values()})))
    _just_one(len(here))
    [digest] = here
    manifest = _json(archive.read(_blob(digest), digest), "the manifest")
    config = _digest(_dict(manifest.get("config")).get("digest"))
    layers = [_digest(_dict(layer).get("digest")) for layer in _list(manifest.get("layers"))]
    return archive.read(_blob(config), config), [(_blob(layer), layer) for layer in layers]


def _images(archive: Archive, index: Json, depth: int = 1) -> Iterator[Json]:
    """Give the manifests of an index and of those in it, without what only describes an image."""
    listed = _list(index.get("manifests"))
    if len(listed) > MOST_MANIFESTS:
        raise BadArchive([f"An index in it has more than {MOST_MANIFESTS} entries."])
    for found in map(_dict, listed):
        about = found.get("platform")
        if about is not None and "unknown" in _platform(about):
            continue  # BuildKit's attestations
        if "index" not in str(found.get("mediaType")) and "list" not in str(found.get("mediaType")):
            yield found
        elif depth < DEEPEST_INDEX:
            digest = _digest(found.get("digest"))
            inner = _json(archive.read(_blob(digest), digest), "the index")
            yield from _images(archive, inner, depth + 1)
        else:
            raise BadArchive(["Its indexes are nested too deeply."])


def _of_docker(archive: Archive) -> tuple[bytes, list[tuple[str, str | None]]]:
    """Return configuration and layers as ``manifest.json`` names them."""
    entries = _list(_parsed(archive.read("manifest.json"), "manifest.json"))
    _just_one(len(entries))
    entry = _dict(entries[0])
    names = [_word(name) for name in (entry.get("Config"), *_list(entry.get("Layers")))]
    config, *layers = map(posixpath.normpath, names)
    return archive.read(config), [(layer, None) for layer in layers]


def _just_one(count: int) -> None:
    if count != 1:
        raise BadArchive([f"The archive holds {count or 'no'} images; save exactly one."])


def _this_machine() -> str:
    machine = platform.machine()
    return f"linux/{ARCHITECTURES.get(machine, machine)}"


def _platform(found: Any) -> str:
    found = _dict(found)
    return shown(f"{found.get('os')}/{found.get('architecture')}")


def _fits_machine(config: Json) -> None:
    if _platform(config) != _this_machine():
        raise _other_machine(_platform(config))


def _other_machine(found: str) -> BadArchive:
    here = _this_machine()
    return BadArchive(
        [f"The image is for {found}; this server is {here}. Build it with `--platform {here}`."]
    )


def _argv(command: Json) -> tuple[str, ...]:
    entry, rest = command.get("Entrypoint"), command.get("Cmd")
    argv = tuple(_word(word) for word in (*_list(entry or []), *_list(rest or [])))
    if not argv:
        raise BadArchive(["The image has neither an entry point nor a command."])
    if len(argv) > MOST_WORDS:
        raise BadArchive([f"The image's command has more than {MOST_WORDS} words."])
    return argv


def _env(command: Json) -> dict[str, str]:
    variables = _list(command.get("Env") or [])
    if len(variables) > MOST_WORDS:
        raise BadArchive([f"The image sets more than {MOST_WORDS} environment variables."])
    found = {}
    for text in map(_word, variables):
        if not (match := VARIABLE.fullmatch(text)):
            raise BadArchive([f"{shown(text)}: an environment variable is NAME=value."])
        found[match[1]] = match[2]
    return found


def _workdir(command: Json) -> str:
    path = _word(command.get("WorkingDir") or "/")
    if not path.startswith("/") or ".." in path.split("/"):
        raise BadArchive([f"{shown(path)}: the working directory is not inside the image."])
    return "/" + posixpath.normpath(path).strip("/")


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _digest(text: Any) -> str:
    if not isinstance(text, str) or not DIGEST.fullmatch(text):
        raise BadArchive(["A digest in the archive is not of the form sha256:… ."])
    return text


def _word(text: Any) -> str:
    if not isinstance(text, str) or not is_word(text):
        raise BadArchive(
            [f"The archive lacks a text of at most {LONGEST_WORD} characters where one has to be."]
        )
    return text


def is_word(text: str) -> bool:
    """Whether a text can be a word of a command: not too long, no zero byte, and proper Unicode."""
    is_unicode = not any("\ud800" <= c <= "\udfff" for c in text)
    return len(text) <= LONGEST_WORD and "\0" not in text and is_unicode


def _json(text: bytes, what: str) -> Json:
    return _dict(_parsed(text, what))


def _parsed(text: bytes, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadArchive([f"Of the archive, {what} is not JSON."]) from None


def _dict(value: Any) -> Json:
    if not isinstance(value, dict):
        raise BadArchive(["Its manifest or configuration is not of the form of an image's."])
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise BadArchive(["Its manifest or configuration is not of the form of an image's."])
    return value
