"""Container archives that people send: what is unpacked, what is refused, and what is left."""

import gzip
import io
import json
import os
import random
import select
import shutil
import stat
import subprocess
import sys
import tarfile
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leaderboards.sandbox.archive import ArchiveFault, BadArchive, Caps, image, sweep, unpack
from leaderboards.sandbox.images import unpacking

from ..disks import disk
from ..needs import FULL
from .containers import (
    ARCHITECTURE,
    INDEX,
    MANIFEST,
    blob,
    config,
    digest,
    docker,
    entry,
    file,
    folder,
    hard_link,
    oci,
    symlink,
    tar,
)

MOUNTED = {"proc", "dev", "tmp", "work", "challenge"}
CAPS = Caps(ratio_from=1 << 20, unpacked_bytes=64 << 20, members=3000, cpu_seconds=30)


class Yard:
    """A folder to unpack in, and one beside it that nothing may touch."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.store = top / "store"
        self.canary = top / "canary"
        self.store.mkdir()
        self.canary.mkdir(mode=0o777)
        self.canary.chmod(0o777)  # so that only the unpacking itself keeps out of it
        (self.canary / "bird").write_text("sings")

    @contextmanager
    def unpacked(self, archive: bytes, most: Caps = CAPS, **options):
        path = self.top / "sent.tar"
        path.write_bytes(archive)
        with image(path, self.store, most=most, **options) as found:
            yield found

    def refusal(self, archive: bytes, most: Caps = CAPS) -> str:
        with pytest.raises(BadArchive) as refused, self.unpacked(archive, most):
            pass
        assert refused.value.problems
        return str(refused.value)

    def is_untouched(self) -> bool:
        return {x.name for x in self.top.iterdir()} <= {"store", "canary", "sent.tar"} and [
            (x.name, x.read_text()) for x in self.canary.iterdir()
        ] == [("bird", "sings")]


@pytest.fixture
def yard(tmp_path):
    made = Yard(tmp_path)
    yield made
    assert made.is_untouched()
    assert list(made.store.iterdir()) == []


def tree(root: Path) -> dict[str, str | bytes | None]:
    """Return what a root holds besides the mount points: bytes, ``-> target`` or None."""
    found: dict[str, str | bytes | None] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif name not in MOUNTED:
            found[name] = path.read_bytes() if path.is_file() else None
    return found


LAYER = tar(
    folder("bin"),
    file("bin/run", b"#!/bin/sh\n", mode=0o755),
    symlink("lib", "usr/lib"),
    symlink("etc", "/canary"),
    hard_link("bin/again", "bin/run"),
)
AS_UNPACKED = {
    "bin": None,
    "bin/run": b"#!/bin/sh\n",
    "bin/again": b"#!/bin/sh\n",
    "lib": "-> usr/lib",
    "etc": "-> /canary",
}


FORMS = {
    "oci, layers by gzip": oci(LAYER),
    "oci, layers plain": oci(LAYER, packed=[LAYER]),
    "oci, gzip of two members": oci(
        LAYER, packed=[gzip.compress(LAYER[:700]) + gzip.compress(LAYER[700:])]
    ),
    "docker": docker(LAYER),
    "docker, by gzip as a whole": gzip.compress(docker(LAYER)),
    "oci, by gzip as a whole": gzip.compress(oci(LAYER)),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_unpacks_to_the_same_tree_and_id(yard, form):
    with yard.unpacked(FORMS[form]) as found:
        assert tree(found.root) == AS_UNPACKED
        assert found.argv == ("/run",)
        assert found.layers == (digest(LAYER),)
        assert found.sha256 == digest(config([LAYER]))[7:]
        assert {x.name for x in found.root.iterdir()} >= MOUNTED


SAVED = Path(__file__).parent / "saved"
SAVED_ID = "bff5e3be484527bf550afeede0943543edb0a9ae6e93ea2933dec07315572b37"  # says Podman


@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
def test_what_podman_saves_is_unpacked_as_podman_would(yard, form):
    archive = gzip.decompress((SAVED / f"{form}.gz").read_bytes())
    if ARCHITECTURE != "amd64":
        assert "for linux/amd64" in yard.refusal(archive)
        return
    with yard.unpacked(archive) as found:
        assert found.sha256 == SAVED_ID
        assert found.argv == ("/bin/method", "--fast")
        assert (found.env, found.workdir) == ({"A": "b"}, "/kept")
        assert os.listxattr(found.root / "bin/method") == []
        assert (found.root / "bin/method").stat().st_mode & 0o7777 == 0o755
        assert (found.root / "bin/method").samefile(found.root / "bin/again")
        assert tree(found.root) == {
            "bin": None,
            "bin/again": b"#!/bin/sh\n",
            "bin/method": b"#!/bin/sh\n",
            "kept": None,
            "kept/new": b"new\n",
            "lib": "-> usr/lib",
            "usr": None,
            "usr/lib": None,
            f"usr/lib/{'n' * 150}": b"long\n",
            "usr/lib/one": b"1\n",
            "usr/lib/two": b"2\n",
            "é": "é\n".encode(),
        }


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_and_links_of_both_tar_formats_are_whole(yard, format):
    name, target = "/".join(["n" * 90] * 3), "é" * 200
    layer = tar(file(name, b"deep"), symlink("link", target), format=format)
    with yard.unpacked(oci(layer)) as found:
        unpacked = tree(found.root)
    assert unpacked[name] == b"deep"
    assert unpacked["link"] == f"-> {target}"


def test_command_environment_and_folder_come_from_the_configuration(yard):
    command = {
        "Entrypoint": ["python3", "/algo.py"],
        "Cmd": ["--fast"],
        "Env": ["PATH=/bin", "A=b=c", "EMPTY="],
        "WorkingDir": "/srv/method/",
        # None of these has any effect.
        "User": "0:0",
        "Volumes": {"/data": {}},
        "ExposedPorts": {"80/tcp": {}},
        "Healthcheck": {"Test": ["CMD", "curl"]},
        "StopSignal": "SIGKILL",
        "OnBuild": ["RUN rm -rf /"],
        "Shell": ["/bin/sh"],
    }
    with yard.unpacked(oci(LAYER, **command)) as found:
        assert found.command("/challenge/challenge.h5", "/work/submission.h5") == [
            *("python3", "/algo.py", "--fast"),
            *("/challenge/challenge.h5", "/work/submission.h5"),
        ]
        assert found.env == {"PATH": "/bin", "A": "b=c", "EMPTY": ""}
        assert found.workdir == "/srv/method"
        assert (found.root / "srv/method").is_dir()
        assert "data" not in tree(found.root)


def test_the_later_of_two_members_and_of_two_layers_wins(yard):
    first = tar(file("a", b"1"), file("a", b"2"), file("b", b"1"), folder("c"), file("c/d"))
    second = tar(file("b", b"2"), file("c", b"a file now"), folder("e"))
    with yard.unpacked(oci(first, second)) as found:
        assert tree(found.root) == {"a": b"2", "b": b"2", "c": b"a file now", "e": None}


def test_a_whiteout_hides_what_lower_layers_have_and_not_its_own(yard):
    lower = tar(file("a"), folder("d"), file("d/old"), file("keep"))
    upper = tar(file("a", b"new"), file(".wh.a"), file(".wh.d"), file("d/new"), file(".wh.none"))
    with yard.unpacked(oci(lower, upper)) as found:
        assert tree(found.root) == {"a": b"new", "d": None, "d/new": b"", "keep": b""}


def test_an_opaque_whiteout_empties_its_folder_of_lower_layers(yard):
    lower = tar(file("d/old"), file("d/e/old"), file("keep"))
    upper = tar(file("d/new"), file("d/.wh..wh..opq"))
    with yard.unpacked(oci(lower, upper)) as found:
        assert tree(found.root) == {"d": None, "d/new": b"", "keep": b""}


def test_a_folder_that_is_a_link_leads_where_it_does_inside(yard):
    lower = tar(
        folder("usr"), folder("usr/lib"), symlink("lib", "/usr/lib"), symlink("up", "../..")
    )
    upper = tar(file("lib/one"), file("up/up/usr/two"))
    with yard.unpacked(oci(lower, upper)) as found:
        unpacked = tree(found.root)
    assert unpacked["usr/lib/one"] == b""
    assert unpacked["usr/two"] == b""


def test_a_file_that_replaces_a_hard_link_leaves_the_other_name_alone(yard):
    layer = tar(file("a", b"old"), hard_link("b", "a"), file("b", b"new"))
    with yard.unpacked(oci(layer)) as found:
        assert tree(found.root) == {"a": b"old", "b": b"new"}


def test_rights_are_cut_to_those_of_a_plain_user(yard):
    capability = {"SCHILY.xattr.security.capability": "\x01\0\0\x02"}
    layer = tar(
        file("setuid", mode=0o6777, uid=0, pax_headers=capability),
        file("closed", mode=0o000, uid=12, gid=34),
        folder("sticky", mode=0o1777),
        folder("shut", mode=0o000),
    )
    with yard.unpacked(oci(layer), uid=23456) as found:
        modes = {x.name: stat.S_IMODE(x.stat().st_mode) for x in found.root.iterdir()}
        owners = {x.stat().st_uid for x in found.root.rglob("*")}
        assert os.listxattr(found.root / "setuid") == []
    assert modes["setuid"] == 0o755
    assert modes["closed"] == 0o600
    assert modes["sticky"] == 0o755
    assert modes["shut"] == 0o700
    assert owners == {23456 if os.geteuid() == 0 else os.geteuid()}


def test_devices_and_fifos_are_left_out(yard):
    layer = tar(
        file("was", b"a file"),
        entry("disk", tarfile.BLKTYPE, devmajor=8),
        entry("null", tarfile.CHRTYPE, devmajor=1, devminor=3),
        entry("pipe", tarfile.FIFOTYPE),
        entry("was", tarfile.FIFOTYPE),
    )
    with yard.unpacked(oci(layer)) as found:
        assert tree(found.root) == {}


def test_a_mount_point_that_is_a_link_or_a_file_becomes_a_folder(yard):
    layer = tar(
        symlink("proc", "/etc"), symlink("work", "../../canary"), file("dev"), folder("tmp")
    )
    with yard.unpacked(oci(layer)) as found:
        for name in MOUNTED:
            assert stat.S_ISDIR((found.root / name).lstat().st_mode)


def test_a_link_out_of_the_root_is_kept_and_never_written_through(yard):
    outside = "../" * 30 + str(yard.canary).lstrip("/")
    layer = tar(
        symlink("up", outside),
        file("up/nest", b"inside"),
        symlink("absolute", str(yard.canary)),
        file("absolute/bird", b"eaten"),
        symlink("bird", f"{outside}/bird"),
        file("bird", b"eaten"),
    )
    with yard.unpacked(oci(layer)) as found:
        unpacked = tree(found.root)
    inside = str(yard.canary).lstrip("/")
    assert unpacked[f"{inside}/nest"] == b"inside"
    assert unpacked[f"{inside}/bird"] == b"eaten"
    assert unpacked["bird"] == b"eaten"


HOSTILE_NAMES = {
    "absolute name": (file("/etc/passwd"), "begin with a slash"),
    "name that climbs": (file("../../canary/bird"), "leads out of the image"),
    "name that climbs from within": (file("a/../../../canary/bird"), "leads out"),
    "whiteout that climbs": (file("../canary/.wh.bird"), "leads out"),
    "whiteout of the folder above": (file("a/.wh..."), "names no file"),
    "whiteout of the folder itself": (file("a/.wh.."), "names no file"),
    "whiteout of nothing": (file("a/.wh."), "names no file"),
    "absolute hard link": (hard_link("a", "/etc/passwd"), "begin with a slash"),
    "hard link that climbs": (hard_link("a", "../../canary/bird"), "leads out"),
    "hard link to nothing": (hard_link("a", "b"), "no file that came before"),
    "hard link to a folder": (hard_link("a", "."), "no file that came before"),
    "symlink to nothing": (symlink("a", ""), "a link to nothing"),
    "file as the root": (file("."), "the root is a folder"),
    "link as the root": (symlink("./", "/etc"), "the root is a folder"),
    "long part of a name": (file("n" * 256), "impossible"),
    "long name": (file("/".join(["n" * 100] * 11)), "more than 1024 bytes"),
    "long link": (symlink("a", "n" * 1100), "more than 1024 bytes"),
    "deep name": (file("/".join("d" * 65)), "more than 64 folders"),
    "sparse file": (entry("a", tarfile.GNUTYPE_SPARSE), "images do not use"),
    "unknown kind": (entry("a", b"Z"), "images do not use"),
    "sparse file by an extended header": (
        file("a", pax_headers={"GNU.sparse.size": "9999999999"}),
        "images do not use",
    ),
    "size that is no number": (file("a", pax_headers={"size": "-5"}), "not a number"),
}


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_member_is_refused_by_the_rules_of_names(yard, name):
    member, sentence = HOSTILE_NAMES[name]
    assert sentence in yard.refusal(oci(tar(member)))


HOSTILE_ROWS = {
    "hard link to itself": ([file("a"), hard_link("a", "a")], "hard link to itself"),
    "hard link through a link": (
        [symlink("out", "/canary"), hard_link("a", "out/bird")],
        "no file that came before",
    ),
    "file inside a file": ([file("a"), file("a/b")], "is a file, and has files in it"),
    "links in a circle": ([symlink("a", "b"), symlink("b", "a"), file("a/x")], "in a circle"),
    "folders that get deeper by links": (
        [
            folder("/".join("d" * 60)),
            symlink("low", "/".join("d" * 60)),
            folder("low/e/e/e/e/e"),
        ],
        "more than 64 folders",
    ),
}


@pytest.mark.parametrize("name", HOSTILE_ROWS)
def test_hostile_members_together_are_refused_by_the_walk_from_the_root(yard, name):
    entries, sentence = HOSTILE_ROWS[name]
    assert sentence in yard.refusal(oci(tar(*entries)))


def test_a_bomb_of_gzip_is_stopped_by_its_ratio(yard):
    bomb = tar(file("zeros", bytes(16 << 20)))
    assert "as only a bomb is" in yard.refusal(oci(bomb))
    assert "as only a bomb is" in yard.refusal(gzip.compress(docker(bomb)))


def test_a_bomb_behind_the_end_of_the_tar_is_stopped_by_its_ratio(yard):
    assert "as only a bomb is" in yard.refusal(oci(tar(file("a")) + bytes(16 << 20)))


def test_unpacked_bytes_are_capped_whatever_the_archive_declares(yard):
    layers = [tar(file(f"noise{i}", random.Random(i).randbytes(300_000))) for i in range(4)]
    most = Caps(unpacked_bytes=1_000_000)
    assert "more than 1,000,000 bytes" in yard.refusal(oci(*layers), most)
    with yard.unpacked(oci(*layers[:3]), most):
        pass


def test_an_archive_by_gzip_as_a_whole_is_capped_while_it_is_expanded(yard):
    noise = gzip.compress(docker(tar(file("noise", random.Random(0).randbytes(1_200_000)))))
    assert "more than 1,000,000 bytes" in yard.refusal(noise, Caps(unpacked_bytes=1_000_000))


def test_a_file_that_declares_more_than_it_has_is_cut_short(yard):
    member = tarfile.TarInfo("huge")
    member.size = 8 << 40
    layer = member.tobuf(tarfile.GNU_FORMAT) + bytes(10_000)
    assert "cut short" in yard.refusal(oci(layer))


def test_a_header_that_declares_gigabytes_is_stopped_by_the_cap_of_headers(yard):
    member = entry("x", tarfile.XHDTYPE)[0]
    member.size = 3 << 30
    assert "more than 1,048,576 bytes" in yard.refusal(oci(member.tobuf() + bytes(2048)))


def test_a_crowd_of_empty_files_is_stopped_by_the_cap_of_members(yard):
    count = 1_000_000 if FULL else 20_000
    layer = tarfile.TarInfo("a").tobuf() * count + bytes(1024)
    assert "more than 3,000 files" in yard.refusal(oci(layer), Caps(members=3000, ratio=2000))


def test_a_crowd_of_headers_without_a_file_is_stopped_by_the_cap_of_members(yard):
    header = entry("x", tarfile.XGLTYPE)[0].tobuf()
    assert "more than 3,000 files" in yard.refusal(oci(header * 4000 + bytes(1024)))


def test_a_crowd_of_layers_is_stopped_by_the_cap_of_layers(yard):
    layers = [tar(file(f"a{i}")) for i in range(5)]
    assert "more than 4 layers" in yard.refusal(oci(*layers), Caps(layers=4))


def test_an_archive_too_large_is_refused_before_anything_starts(yard):
    assert "at most 1,000" in yard.refusal(oci(LAYER), Caps(archive_bytes=1000))


def test_endless_work_is_stopped_by_the_limit_of_cpu_time(yard):
    # Each member opens a folder sixty deep anew.
    pair = tar(*(file("/".join(x * 60) + "/x") for x in "ab"), format=tarfile.GNU_FORMAT)
    layer = pair.rstrip(b"\0").ljust(6 * 512, b"\0") * 10_000 + bytes(1024)
    refusal = yard.refusal(oci(layer), Caps(cpu_seconds=1, ratio=2000))
    assert "more than 1 s of CPU time" in refusal


def swap_blob(number):
    """Change the bytes of one blob, and not the digest that names it."""

    def change(files, index):
        name = [x for x in files if x.startswith("blobs/")][number]
        files[name] = files[name][:-1] + b"?"

    return change


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_changed_configuration_layer_or_manifest_is_stopped_by_its_digest(yard, number):
    assert "does not have the SHA-256" in yard.refusal(
        oci(LAYER, packed=[LAYER], change=swap_blob(number))
    )


def test_another_layer_is_stopped_by_the_digest_of_the_configuration(yard):
    other = tar(file("other"))
    assert "does not have the SHA-256" in yard.refusal(docker(other, about=config([LAYER])))
    assert "does not have the SHA-256" in yard.refusal(oci(other, about=config([LAYER])))


def platforms(*names):
    """Put an index of several platforms in the place of the one image."""

    def change(files, index):
        [manifest] = index["manifests"]
        inner = [
            {**manifest, "platform": dict(zip(("os", "architecture"), x.split("/"), strict=True))}
            if x.endswith(ARCHITECTURE)
            else {
                "mediaType": MANIFEST,
                "digest": digest(x.encode()),
                "platform": dict(zip(("os", "architecture"), x.split("/"), strict=True)),
            }
            for x in names
        ]
        content = json.dumps({"schemaVersion": 2, "manifests": inner}).encode()
        index["manifests"] = [blob(files, content, INDEX)]

    return change


def test_of_several_platforms_this_machines_is_taken(yard):
    names = ("linux/s390x", f"linux/{ARCHITECTURE}", "windows/ppc", "unknown/unknown")
    with yard.unpacked(oci(LAYER, change=platforms(*names))) as found:
        assert tree(found.root) == AS_UNPACKED


def test_an_image_for_another_machine_says_which_one_is_wanted(yard):
    refusal = yard.refusal(oci(LAYER, change=platforms("linux/s390x")))
    assert f"--platform linux/{ARCHITECTURE}" in refusal
    about = json.loads(config([LAYER])) | {"architecture": "s390x"}
    assert "for linux/s390x" in yard.refusal(docker(LAYER, about=json.dumps(about).encode()))


def test_two_images_in_one_archive_are_refused(yard):
    def second(files, index):
        [manifest] = index["manifests"]
        content = files[f"blobs/sha256/{manifest['digest'][7:]}"] + b"\n"
        index["manifests"].append(blob(files, content, MANIFEST))

    assert "holds 2 images" in yard.refusal(oci(LAYER, change=second))
    assert "holds 2 images" in yard.refusal(docker(LAYER, entries=2))
    assert "holds no images" in yard.refusal(docker(LAYER, entries=0))


def test_two_tags_of_one_image_are_one_image(yard):
    def second(files, index):
        index["manifests"] *= 2

    with yard.unpacked(oci(LAYER, change=second)) as found:
        assert tree(found.root) == AS_UNPACKED


def test_indexes_nested_without_end_are_refused(yard):
    def nest(files, index):
        for _ in range(5):
            content = json.dumps(index).encode()
            index["manifests"] = [blob(files, content, INDEX)]

    assert "nested too deeply" in yard.refusal(oci(LAYER, change=nest))


def test_a_layer_elsewhere_is_missing_and_never_fetched(yard):
    def elsewhere(files, index):
        files.pop(next(iter(x for x in files if files[x] == gzip.compress(LAYER, 1))))

    assert "which its manifest names" in yard.refusal(oci(LAYER, change=elsewhere))


def test_a_layer_that_is_a_link_out_of_the_archive_is_missing(yard):
    about = config([LAYER])
    manifest = [{"Config": "c.json", "Layers": ["layer.tar"]}]
    link = symlink("layer.tar", "../../../../etc/passwd")
    archive = tar(link, file("c.json", about), file("manifest.json", json.dumps(manifest).encode()))
    assert "lacks layer.tar" in yard.refusal(archive)


def test_a_layer_that_is_a_link_to_another_in_the_archive_is_read(yard):
    # Docker before version 25 writes a layer that two images share so.
    manifest = [{"Config": "c.json", "Layers": ["b/layer.tar"]}]
    archive = tar(
        file("a/layer.tar", LAYER),
        symlink("b/layer.tar", "../a/layer.tar"),
        file("c.json", config([LAYER])),
        file("manifest.json", json.dumps(manifest).encode()),
    )
    with yard.unpacked(archive) as found:
        assert tree(found.root) == AS_UNPACKED


NO_IMAGES = {
    "nothing": (b"", "cut short"),
    "text": (b"print('hello')\n" * 100, "no tar"),
    "another tar": (tar(file("algo.py")), "neither index.json nor manifest.json"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(100), "compress it with gzip"),
    "damaged gzip": (gzip.compress(oci(LAYER))[:40] + bytes(500), "gzip compression is damaged"),
    "layer by zstd": (oci(LAYER, packed=[b"\x28\xb5\x2f\xfd" + bytes(99)]), "with gzip"),
    "layer that is no tar": (oci(b"x" * 2000), "no tar"),
    "layer without an end": (oci(tarfile.TarInfo("a").tobuf()), "cut short"),
    "no layers": (oci(), "no layers"),
    "manifest that is no JSON": (tar(file("manifest.json", b"{" * 99)), "not JSON"),
    "manifest of deep JSON": (tar(file("manifest.json", b"[" * 100_000)), "not JSON"),
    "manifest of another form": (tar(file("manifest.json", b"[7]")), "not of the form"),
    "index of another form": (tar(file("index.json", b'{"manifests": [{}]}')), "form sha256"),
    "huge manifest": (tar(file("manifest.json", b" " * 1_100_000)), "more than 1,048,576"),
    "configuration of another form": (oci(LAYER, about=b"[]"), "not of the form"),
    "fewer layers in the configuration": (oci(LAYER, about=config([])), "differ in their layers"),
    "no command": (oci(LAYER, Cmd=None), "neither an entry point nor a command"),
    "command as a text": (oci(LAYER, Cmd="/bin/sh"), "not of the form"),
    "word that is a number": (oci(LAYER, Cmd=[7]), "a text"),
    "word that is no Unicode": (oci(LAYER, Cmd=["\ud800"]), "a text"),
    "index of a crowd": (
        tar(file("index.json", b'{"manifests": [' + b"{}," * 100 + b"{}]}")),
        "more than 100 entries",
    ),
    "word with a zero byte": (oci(LAYER, Cmd=["a\0b"]), "a text"),
    "long word": (oci(LAYER, Cmd=["x" * 5000]), "a text"),
    "many words": (oci(LAYER, Cmd=["x"] * 65), "more than 64 words"),
    "many variables": (oci(LAYER, Env=["A=b"] * 65), "more than 64 environment"),
    "variable without a value": (oci(LAYER, Env=["A"]), "NAME=value"),
    "variable with an odd name": (oci(LAYER, Env=["A\nB=c"]), "NAME=value"),
    "folder outside": (oci(LAYER, WorkingDir="/a/../../.."), "not inside the image"),
    "folder without a slash": (oci(LAYER, WorkingDir="a"), "not inside the image"),
    "folder that is a file": (oci(LAYER, WorkingDir="/bin/run"), "is a file"),
}


@pytest.mark.parametrize("name", NO_IMAGES)
def test_what_is_no_proper_image_is_refused_in_a_sentence(yard, name):
    archive, sentence = NO_IMAGES[name]
    refusal = yard.refusal(archive)
    assert sentence in refusal
    assert refusal.endswith(".")


def in_this_process(archive: bytes, root: Path, most: Caps = CAPS) -> None:
    """Unpack without the child and its confinement, so that the rules of names stand alone."""
    with io.FileIO(os.memfd_create("sent"), "w") as sent, open(os.memfd_create("s"), "w") as spool:
        sent.write(archive)
        opened = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            unpacking.unpack(sent.fileno(), spool.fileno(), opened, most)
        finally:
            os.close(opened)


NOISE = tar(file("noise", random.Random(0).randbytes(300_000)), file("more", b"x" * 5000))
CUT = {
    "oci": oci(NOISE),
    "oci, plain": oci(NOISE, packed=[NOISE]),
    "docker": docker(NOISE),
    "by gzip": gzip.compress(docker(NOISE)),
}


@pytest.mark.parametrize("form", CUT)
def test_an_archive_cut_short_anywhere_is_refused(tmp_path, form):
    whole = CUT[form]
    for i in range(20):
        root = tmp_path / str(i)
        root.mkdir()
        with pytest.raises(BadArchive):
            in_this_process(whole[: len(whole) * i // 20], root)


def test_an_archive_cut_short_leaves_nothing(yard):
    for form in CUT.values():
        assert "cut short" in yard.refusal(form[: len(form) * 3 // 4])


def test_what_is_raised_inside_or_while_it_is_unpacked_leaves_nothing(yard):
    with pytest.raises(FileNotFoundError), yard.unpacked(oci(LAYER)):
        raise FileNotFoundError
    with pytest.raises(KeyboardInterrupt), yard.unpacked(oci(LAYER), beat=_cancel):
        pass


def _cancel(phase, part):
    raise KeyboardInterrupt


def test_a_sweep_removes_what_a_crash_left_and_nothing_that_is_in_use(yard):
    (yard.store / "image-dead").mkdir()
    (yard.store / "image-dead" / "root").mkdir()
    (yard.store / "image-link").symlink_to(yard.canary)
    (yard.store / "other").mkdir()
    with yard.unpacked(oci(LAYER)) as found:
        assert sweep(yard.store) == 1
        assert tree(found.root) == AS_UNPACKED
        assert {x.name for x in yard.store.iterdir()} == {
            *("image-link", "other"),
            found.root.parent.name,
        }
    (yard.store / "image-link").unlink()
    (yard.store / "other").rmdir()
    assert sweep(yard.store / "none") == 0


def test_a_worker_that_is_killed_while_it_unpacks_takes_its_child_along(yard):
    sent = yard.top / "sent.tar"
    pair = tar(*(file("/".join(x * 60) + "/x") for x in "ab"), format=tarfile.GNU_FORMAT)
    layer = pair.rstrip(b"\0").ljust(6 * 512, b"\0") * 30_000 + bytes(1024)
    sent.write_bytes(oci(layer, packed=[layer]))
    command = [sys.executable, "-c", HOLDER, sent, yard.store]
    with subprocess.Popen(command, cwd=Path.cwd()) as worker:
        while not list(yard.store.glob("image-*/root/a/a/a")):
            assert worker.poll() is None
        watched = os.pidfd_open(child_of(worker.pid))
        worker.kill()
    try:
        assert select.select([watched], [], [], 60)[0], "the child outlived its worker"
    finally:
        os.close(watched)
    assert sweep(yard.store) == 1


def child_of(parent: int) -> int:
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if status.read_text().rpartition(")")[2].split()[1] == str(parent):
                return int(status.parent.name)
    raise LookupError(parent)


def test_a_worker_that_is_killed_while_it_holds_an_image_leaves_it_to_the_sweep(yard):
    sent = yard.top / "sent.tar"
    sent.write_bytes(oci(LAYER))
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, sent, yard.store], stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    with holder:
        assert holder.stdout.readline() == b"unpacked\n"
        assert sweep(yard.store) == 0
        holder.kill()
    assert len(list(yard.store.iterdir())) == 1
    assert sweep(yard.store) == 1


HOLDER = """
import sys, time
from pathlib import Path
from leaderboards.sandbox.archive import image
with image(Path(sys.argv[1]), Path(sys.argv[2])):
    print("unpacked", flush=True)
    time.sleep(600)
"""


LIES = {
    "no JSON": b"hello",
    "a list": b"[]",
    "nothing": b"",
    "endless": b"x" * 9_000_000,
    "no problems": b'{"problems": []}',
    "problems of another type": b'{"problems": [7]}',
    "no command": b'{"argv": [], "env": {}, "workdir": "/", "sha256": "", "layers": []}',
    "a climbing folder": json.dumps(
        {"argv": ["a"], "env": {}, "workdir": "/../x", "sha256": "0" * 64, "layers": []}
    ).encode(),
    "no mount points": json.dumps(
        {"argv": ["a"], "env": {}, "workdir": "/", "sha256": "0" * 64, "layers": []}
    ).encode(),
}


@pytest.mark.parametrize("name", LIES)
def test_an_answer_that_the_child_would_not_give_is_refused(yard, monkeypatch, tmp_path, name):
    answers(monkeypatch, tmp_path, LIES[name])
    assert "damaged" in yard.refusal(oci(LAYER))
    (tmp_path / "sent").unlink()
    (tmp_path / "child.py").unlink()


def test_a_child_that_makes_mount_points_of_links_is_refused(yard, monkeypatch, tmp_path):
    answer = {"argv": ["a"], "env": {}, "workdir": "/", "sha256": "0" * 64, "layers": []}
    links = "for name in ('proc','dev','tmp','work','challenge'):\n"
    links += "    os.symlink('/etc', name, dir_fd=int(sys.argv[4]))\n"
    answers(monkeypatch, tmp_path, json.dumps(answer).encode(), links)
    assert "damaged" in yard.refusal(oci(LAYER))
    (tmp_path / "sent").unlink()
    (tmp_path / "child.py").unlink()


def test_a_fault_of_the_machine_is_no_fault_of_the_archive(yard, monkeypatch, tmp_path):
    for answer in (b'{"fault": "No space left on device"}', b'{"unavailable": "no Landlock"}'):
        answers(monkeypatch, tmp_path, answer)
        with pytest.raises(ArchiveFault), yard.unpacked(oci(LAYER)):
            pass
    (tmp_path / "sent").unlink()
    (tmp_path / "child.py").unlink()


def answers(monkeypatch, folder: Path, answer: bytes, before: str = "") -> None:
    """Put a child that was taken over in the place of ours."""
    (folder / "sent").write_bytes(answer)
    (folder / "child.py").write_text(
        f"import os, sys\n{before}os.write(1, b'')\n"
        f"sys.stdout.buffer.write(open({str(folder / 'sent')!r}, 'rb').read())\n"
    )
    monkeypatch.setattr("leaderboards.sandbox.archive.CHILD", folder / "child.py")


def test_a_full_disk_is_a_fault_of_the_machine(tmp_path):
    sent = tmp_path / "sent.tar"
    sent.write_bytes(oci(tar(file("noise", random.Random(0).randbytes(4 << 20)))))
    with disk(tmp_path / "disk", "2m") as small:
        said = small.run(sys.executable, "-c", FULL_DISK, str(sent), str(small.path))
        assert "No space left on device" in said
        assert small.run("ls", "-A", str(small.path)) == ""


FULL_DISK = """
import sys
from pathlib import Path
from leaderboards.sandbox.archive import ArchiveFault, image
try:
    with image(Path(sys.argv[1]), Path(sys.argv[2])):
        pass
except ArchiveFault as error:
    print(error)
"""


names = st.lists(
    st.sampled_from(
        ["a", "b", "c", "..", ".", "", ".wh.a", ".wh..wh..opq", ".wh...", "é", "\udcff"]
    ),
    min_size=1,
    max_size=5,
).map("/".join)
kinds = st.sampled_from(
    [
        *(tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE),
        *(tarfile.FIFOTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, b"S"),
    ]
)


@st.composite
def entries(draw):
    """Draw one member; a path is often a link that an earlier member made."""
    kind = draw(kinds)
    data = draw(st.binary(max_size=40)) if kind not in (tarfile.DIRTYPE, tarfile.SYMTYPE) else b""
    link = draw(names | st.just("/canary") | st.just("../../canary"))
    return entry(draw(names), kind, data, linkname=link, mode=draw(st.integers(0, 0o7777)))


@settings(
    max_examples=4000 if FULL else 150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    layers=st.lists(st.lists(entries(), min_size=1, max_size=12), min_size=1, max_size=3),
    damage=st.none() | st.tuples(st.integers(0, 4000), st.integers(0, 255)),
)
def test_whatever_the_headers_say_nothing_is_written_outside(tmp_path_factory, layers, damage):
    top = tmp_path_factory.mktemp("fuzz")
    try:
        made = Yard(top)
        root = made.store / "root"
        root.mkdir()
        tars = [
            bytearray(tar(*x, format=tarfile.GNU_FORMAT, errors="surrogateescape")) for x in layers
        ]
        if damage:
            tars[0][damage[0] % len(tars[0])] = damage[1]
        with suppress(BadArchive, OSError):
            in_this_process(oci(*map(bytes, tars)), root)
        assert made.is_untouched()
        assert list(made.store.iterdir()) == [root]
        for path in root.rglob("*"):
            mode = path.lstat().st_mode
            assert stat.S_ISDIR(mode) or stat.S_ISREG(mode) or stat.S_ISLNK(mode)
            assert stat.S_ISLNK(mode) or not mode & 0o7022
    finally:
        shutil.rmtree(top)


def test_unpack_wants_a_folder_that_is_empty(tmp_path):
    (tmp_path / "root").mkdir()
    sent = tmp_path / "sent.tar"
    sent.write_bytes(oci(LAYER))
    with sent.open("rb") as archive, pytest.raises(ArchiveFault, match="File exists"):
        unpack(archive, tmp_path, CAPS)
