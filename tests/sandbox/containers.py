"""Container archives as the tests send them, written by ``tarfile`` from what each test names.

The forms follow the OCI Image Format Specification 1.1.0 and the Docker Image Specification 1.3.
"""

import gzip
import hashlib
import io
import json
import platform
import tarfile

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"

Entry = tuple[tarfile.TarInfo, bytes]


def file(name, data=b"", mode=0o644, **about) -> Entry:
    return entry(name, tarfile.REGTYPE, data, mode=mode, **about)


def folder(name, mode=0o755) -> Entry:
    return entry(name, tarfile.DIRTYPE, mode=mode)


def symlink(name, target) -> Entry:
    return entry(name, tarfile.SYMTYPE, linkname=target)


def hard_link(name, target) -> Entry:
    return entry(name, tarfile.LNKTYPE, linkname=target)


def entry(name, kind, data=b"", **about) -> Entry:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(data)
    for key, value in about.items():
        setattr(info, key, value)
    return info, data


def tar(*entries: Entry, **options) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **options) as opened:
        for info, data in entries:
            opened.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def config(layers, **command) -> bytes:
    """Return the configuration of an image of these uncompressed layers."""
    command = {"Cmd": ["/run"], **command}
    return json.dumps(
        {
            "os": "linux",
            "architecture": ARCHITECTURE,
            "config": command,
            "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
        }
    ).encode()


def oci(*layers: bytes, about=None, packed=None, change=None, **command) -> bytes:
    """Return an OCI archive of uncompressed layers.

    packed: the layers as they are stored (default: by gzip). about: the configuration's bytes.
    change(files, index): a last change to the files by name, and to the index.
    """
    packed = [gzip.compress(x, 1) for x in layers] if packed is None else packed
    about = config(layers, **command) if about is None else about
    files: dict[str, bytes] = {}
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": blob(files, about, CONFIG),
            "layers": [blob(files, layer, LAYER + "+gzip") for layer in packed],
        }
    ).encode()
    index = {"schemaVersion": 2, "manifests": [blob(files, manifest, MANIFEST)]}
    if change:
        change(files, index)
    files["index.json"] = json.dumps(index).encode()
    files["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    return tar(folder("blobs"), folder("blobs/sha256"), *(file(*item) for item in files.items()))


def docker(*layers: bytes, entries=1, about=None, **command) -> bytes:
    """Return what ``docker save`` wrote before version 25."""
    about = config(layers, **command) if about is None else about
    names = [f"{digest(layer)[7:]}/layer.tar" for layer in layers]
    name = f"{digest(about)[7:]}.json"
    manifest = [{"Config": name, "RepoTags": ["one:latest"], "Layers": names}] * entries
    return tar(
        *(file(*item) for item in zip(names, layers, strict=True)),
        file(name, about),
        file("manifest.json", json.dumps(manifest).encode()),
        file("repositories", b"{}"),
    )


def blob(files, data, kind):
    """Put a blob into the files of an archive, and return its descriptor."""
    files[f"blobs/sha256/{digest(data)[7:]}"] = data
    return {"mediaType": kind, "digest": digest(data), "size": len(data)}
