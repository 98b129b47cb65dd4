"""Write the layers of an image as a root file system below one open folder.

No link is ever followed by the kernel: a path is walked from the root, folder by folder, and where
a folder is a link in the image, it is resolved here as it would be inside, with the root as ``/``.
Every file is new: what had its name is removed first, so nothing is written through a link.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence

from .caps import BadArchive, Caps, shown
from .members import Content, Kind, Member
from .streams import STEP

# What the sandbox puts a file system of its own on; folders at the root, never links.
MOUNT_POINTS = ("proc", "dev", "tmp", "work", "challenge")
MOST_LINKS = 40  # in one path, as in the kernel
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Root:
    """The root file system while it grows; ``folder`` is its open descriptor."""

    def __init__(self, folder: int, most: Caps) -> None:
        self._root = folder
        self._most = most
        self._fresh: set[tuple[int, str]] = set()
        # The folder that was used last: a tar mostly stays in one. Its path is forgotten when
        # anything is removed, because it may lead somewhere else from then on.
        self._last: tuple[tuple[str, ...], int] | None = None
        self._opened: int | None = None

    def begin_layer(self) -> None:
        """From now on, whiteouts hide all that is there."""
        self._fresh = set()

    def put(self, member: Member, content: Content) -> None:
        """Add one member of a layer, or hide what its whiteout names."""
        path = self._inside(member.name)
        if not path:
            if member.kind != Kind.FOLDER:
                raise BadArchive([f"{shown(member.name)}: the root is a folder."])
            return
        folder, name = self.folder(path[:-1]), path[-1]
        if name == OPAQUE:
            self._hide_all(folder)
        elif name.startswith(WHITEOUT):
            self._hide_named(folder, name.removeprefix(WHITEOUT))
        else:
            self._make(folder, name, member, content)
            self._fresh.add((os.fstat(folder).st_ino, name))

    def make_mount_points(self) -> None:
        """Make the folders that the sandbox mounts on, in the place of whatever has their name."""
        for name in MOUNT_POINTS:
            if not self._is_folder(self._root, name):
                self._remove(self._root, name)
                os.mkdir(name, 0o755, dir_fd=self._root)

    def folder(self, path: Sequence[str]) -> int:
        """Open a folder of the image, whose links lead as they do inside; make what is missing."""
        if self._last and self._last[0] == tuple(path):
            return self._last[1]
        opened = self._walk(path)
        if self._opened is not None:
            os.close(self._opened)
        self._opened = opened
        self._last = (tuple(path), opened)
        return opened

    def _walk(self, path: Sequence[str]) -> int:
        folders = [os.dup(self._root)]
        todo = list(reversed(path))
        links = 0
        try:
            while todo:
                name = todo.pop()
                if name == "..":
                    if len(folders) > 1:
                        os.close(folders.pop())
                    continue
                target = self._link(folders[-1], name)
                if target is None:
                    folders.append(self._enter(folders[-1], name))
                else:
                    links += 1
                    if target.startswith("/"):
                        while len(folders) > 1:
                            os.close(folders.pop())
                    todo += reversed(parts(target))
                if links > MOST_LINKS or len(folders) + len(todo) > self._most.depth + MOST_LINKS:
                    raise BadArchive([f"{shown(name)}: its links lead in a circle or too far."])
                if len(folders) > self._most.depth:
                    raise self._too_deep(name)
            return folders.pop()
        finally:
            for folder in folders:
                os.close(folder)

    def _link(self, folder: int, name: str) -> str | None:
        try:
            return os.readlink(name, dir_fd=folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.EINVAL:  # it is no link
                return None
            raise

    def _enter(self, folder: int, name: str) -> int:
        try:
            return os.open(name, _FOLDER, dir_fd=folder)
        except FileNotFoundError:
            os.mkdir(name, 0o755, dir_fd=folder)
            return os.open(name, _FOLDER, dir_fd=folder)
        except NotADirectoryError:
            raise BadArchive([f"{shown(name)}: it is a file, and has files in it."]) from None

    def _inside(self, name: str) -> list[str]:
        """Return a path below the root, part by part."""
        if name.startswith("/"):
            raise BadArchive([f"{shown(name)}: names in a layer do not begin with a slash."])
        path = parts(name)
        if ".." in path:
            raise BadArchive([f"{shown(name)}: the name leads out of the image."])
        if len(path) > self._most.depth:
            raise self._too_deep(name)
        return path

    def _too_deep(self, name: str) -> BadArchive:
        most = self._most.depth
        return BadArchive([f"{shown(name)}: more than {most} folders lie in each other."])

    def _make(self, folder: int, name: str, member: Member, content: Content) -> None:
        if member.kind == Kind.FOLDER and self._is_folder(folder, name):
            self._set_mode(folder, name, member.mode)
            return
        # Found before anything is removed: a link to its own name is a link to nothing.
        source = self._linked(member) if member.kind == Kind.HARD_LINK else None
        if source and (os.fstat(source[0]).st_ino, source[1]) == (os.fstat(folder).st_ino, name):
            os.close(source[0])
            raise BadArchive([f"{shown(member.name)}: it is a hard link to itself."])
        self._remove(folder, name)
        if member.kind == Kind.FOLDER:
            os.mkdir(name, 0o700, dir_fd=folder)
            self._set_mode(folder, name, member.mode)
        elif member.kind == Kind.FILE:
            self._write(folder, name, member.mode, content)
        elif member.kind == Kind.SYMLINK:
            if not member.link:
                raise BadArchive([f"{shown(member.name)}: it is a link to nothing."])
            os.symlink(member.link, name, dir_fd=folder)
        elif source:
            self._hard_link(source, folder, name)
        # A device or a FIFO is left out: the sandbox has a /dev of its own.

    def _write(self, folder: int, name: str, mode: int, content: Content) -> None:
        file = os.open(name, _NEW, 0o600, dir_fd=folder)
        try:
            while found := content.read(STEP):
                while found:
                    found = found[os.write(file, found) :]
            # Without setuid, setgid and sticky; ours to read, because the owner is dropped too.
            os.fchmod(file, mode & 0o755 | 0o600)
        finally:
            os.close(file)

    def _set_mode(self, folder: int, name: str, mode: int) -> None:
        opened = os.open(name, _FOLDER, dir_fd=folder)
        try:
            os.fchmod(opened, mode & 0o755 | 0o700)
        finally:
            os.close(opened)

    def _linked(self, member: Member) -> tuple[int, str]:
        """Return folder (to be closed) and name of what a hard link leads to."""
        path = self._inside(member.link)
        folder = self._walk(path[:-1])
        try:
            mode = os.stat(path[-1] if path else ".", dir_fd=folder, follow_symlinks=False).st_mode
        except FileNotFoundError:
            mode = 0
        if not (path and (stat.S_ISREG(mode) or stat.S_ISLNK(mode))):
            os.close(folder)
            raise BadArchive(
                [f"{shown(member.name)}: it is a hard link to no file that came before it."]
            )
        return folder, path[-1]

    def _hard_link(self, source: tuple[int, str], folder: int, name: str) -> None:
        try:
            os.link(source[1], name, src_dir_fd=source[0], dst_dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(source[0])

    def _hide_named(self, folder: int, name: str) -> None:
        if not name or name in (".", ".."):
            raise BadArchive(["A whiteout in it names no file."])
        if not name.startswith(WHITEOUT):  # aufs's own files, which hide nothing
            self._hide(folder, name)

    def _hide_all(self, folder: int) -> None:
        for name in os.listdir(folder):
            self._hide(folder, name)

    def _hide(self, folder: int, name: str) -> None:
        """Remove what lower layers have under this name, and keep what this layer put there."""
        if self._is_folder(folder, name):
            opened = os.open(name, _FOLDER, dir_fd=folder)
            try:
                self._hide_all(opened)
                is_empty = not os.listdir(opened)
            finally:
                os.close(opened)
            if is_empty and (os.fstat(folder).st_ino, name) not in self._fresh:
                self._remove(folder, name)
        elif (os.fstat(folder).st_ino, name) not in self._fresh:
            self._remove(folder, name)

    def _is_folder(self, folder: int, name: str) -> bool:
        try:
            return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return False

    def _remove(self, folder: int, name: str) -> None:
        """Remove a file, a link or a whole folder, where there is one."""
        try:
            os.unlink(name, dir_fd=folder)
        except FileNotFoundError:
            return
        except IsADirectoryError:
            opened = os.open(name, _FOLDER, dir_fd=folder)
            try:
                for inner in os.listdir(opened):
                    self._remove(opened, inner)
            finally:
                os.close(opened)
            os.rmdir(name, dir_fd=folder)
        self._last = None


def parts(path: str) -> list[str]:
    """Return the names that a path is made of."""
    return [part for part in path.split("/") if part not in ("", ".")]
