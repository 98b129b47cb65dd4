"""The root file system that scripts run in: an interpreter, its packages, and nothing else.

It is copied from the interpreter and the packages that this site runs with, so that a script meets
the versions that the site's own methods were measured with; the site's own environment cannot be
shown to a program, since it holds much more and may lie in somebody's home. No shell, no setuid
file, no other program is in it.
"""

from __future__ import annotations

import compileall
import fcntl
import hashlib
import json
import os
import py_compile
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from django.conf import settings

OFFERED = ("numpy", "scipy", "scikit-image", "h5py")
PYTHON = "/python/bin/python3"
# Parts of the standard library that no program needs: tests, installers, windows.
_LEFT_OUT = {
    "__pycache__", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages",
    "dist-packages", "test", "tests", "tkinter", "turtledemo",
}  # fmt: skip


class NoRuntime(RuntimeError):
    """The runtime cannot be made here; the message says why."""


@dataclass(frozen=True)
class Runtime:
    """A root file system for scripts.

    sha256: hash of the list of its files and their hashes; packages: package -> version.
    """

    root: Path
    sha256: str
    packages: dict[str, str]
    size_bytes: int


def packages() -> dict[str, str]:
    """Return what a script can import: package -> version, Python itself first."""
    versions = {"Python": ".".join(map(str, sys.version_info[:3]))}
    return versions | {found.name: found.version for found in _distributions()}


@lru_cache(maxsize=1)
def runtime() -> Runtime:
    """Return this site's runtime; copy it together first if there is none of today's versions."""
    place = Path(settings.PWM_RUNTIME)
    place.mkdir(parents=True, exist_ok=True, mode=0o755)
    sources = dict(_sources())
    folder = place / _key(sources)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "manifest.json").exists():
            _build(folder, sources)
    manifest = json.loads((folder / "manifest.json").read_text())
    return Runtime(folder / "root", manifest["sha256"], manifest["packages"], manifest["size"])


def _key(sources: dict[str, Path]) -> str:
    """Return a name that changes when anything that goes into the runtime does."""
    digest = hashlib.sha256(json.dumps(_links()).encode())
    for name, source in sorted(sources.items()):
        status = source.stat()
        digest.update(f"{name}\0{source}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]


def _build(folder: Path, sources: dict[str, Path]) -> None:
    partial = Path(tempfile.mkdtemp(prefix="partial-", dir=folder.parent))
    try:
        root = partial / "root"
        hashes = {}
        for name, source in sorted(sources.items()):
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            executable = os.access(source, os.X_OK)
            target.chmod(0o555 if executable else 0o444)
            hashes[name] = _hash(target)
        for link, to in _links().items():
            (root / link).parent.mkdir(parents=True, exist_ok=True)
            (root / link).symlink_to(to)
            hashes[link] = f"-> {to}"
        _compile(root)
        size = sum(path.lstat().st_size for path in root.rglob("*"))
        text = json.dumps(hashes, sort_keys=True).encode()
        manifest = {
            "sha256": hashlib.sha256(text).hexdigest(),
            "packages": packages(),
            "size": size,
            "files": hashes,
        }
        (partial / "manifest.json").write_text(json.dumps(manifest, sort_keys=True))
        for path in (partial, *partial.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _links() -> dict[str, str]:
    """Return the links of the runtime, and where they lead."""
    return {
        "python/bin/python3": f"python{_version()}",
        # Debian's own Python looks for packages here.
        "python/lib/python3/dist-packages": f"../python{_version()}/site-packages",
        # The loader looks in these folders without being told, on Debian or on Fedora.
        "lib64": "lib",
        "usr/lib": "../lib",
        "usr/lib64": "../lib",
    }


def _sources() -> Iterator[tuple[str, Path]]:
    """Yield every file of the runtime, as (name below its root, where it comes from)."""
    files = {f"python/bin/python{_version()}": Path(os.path.realpath(sys.executable))}
    library = f"python/lib/python{_version()}"
    for folder in {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}:
        for path in _walk(Path(folder)):
            files[f"{library}/{path.relative_to(folder)}"] = path
    for found in _distributions():
        for file in found.files or ():
            path = Path(str(found.locate_file(file)))
            if ".." in file.parts or _is_left_out(file.parts) or not path.is_file():
                continue
            files[f"{library}/site-packages/{file}"] = path
    yield from files.items()
    yield from _libraries([path for path in files.values() if _is_binary(path)])


def _walk(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _LEFT_OUT and "config-" not in name]
        for name in names:
            path = Path(where, name)
            if name.endswith((".a", ".exe")) or not stat.S_ISREG(path.stat().st_mode):
                continue
            yield path


def _compile(root: Path) -> None:
    """Compile all modules anew: the site's compiled ones hold the names of its own folders."""
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(
        root / "python", maxlevels=20, quiet=2, stripdir=str(root), invalidation_mode=unchecked
    )


def _is_left_out(parts: tuple[str, ...]) -> bool:
    return bool({"__pycache__", "tests", "test"} & set(parts[:-1]))


def _is_binary(path: Path) -> bool:
    return bool(re.search(r"\.so(\.|$)", path.name)) or path.name.startswith("python3")


def _libraries(binaries: list[Path]) -> Iterator[tuple[str, Path]]:
    """Yield the system's libraries that the files load, all in one folder of the runtime."""
    ldd = shutil.which("ldd")
    if ldd is None:
        raise NoRuntime("ldd, which says what libraries a program loads, is not installed")
    done = subprocess.run(
        [ldd, *map(str, binaries)], capture_output=True, text=True, check=False, env={}
    )
    for found in set(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", done.stdout, re.MULTILINE)):
        # Libraries that a package brings are found beside it.
        if "site-packages" not in found and "dist-packages" not in found:
            yield f"lib/{Path(found).name}", Path(found).resolve()


@lru_cache(maxsize=1)
def _distributions() -> tuple[Distribution, ...]:
    """Return the packages that scripts are offered, and all that these need."""
    found: dict[str, Distribution] = {}
    wanted = list(OFFERED)
    while wanted:
        name = wanted.pop(0)
        if name.lower() in found:
            continue
        try:
            package = distribution(name)
        except PackageNotFoundError:
            if name in OFFERED:
                raise NoRuntime(f"the package {name} is not installed") from None
            continue  # it is needed on another system or by another Python
        found[name.lower()] = package
        needs = (text for text in package.requires or () if "extra ==" not in text)
        wanted += [re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in needs]
    return tuple(found.values())


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
