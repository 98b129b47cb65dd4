"""What scripts run in: the interpreter and the packages that the page names, and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from importlib.metadata import version

import pytest

from leaderboards.sandbox import packages
from leaderboards.sandbox.runtime import OFFERED, runtime
from tests.sandbox.attacks import OUT

IMPORTS = (
    OUT
    + """
import json
from importlib.metadata import version
import h5py, numpy, scipy.optimize, scipy.sparse.linalg, skimage.restoration, skimage.transform
import bz2, concurrent.futures, ctypes, decimal, hashlib, lzma, multiprocessing, sqlite3, ssl, zlib
with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
    assert list(pool.map(abs, [-1, 2])) == [1, 2]
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    assert list(pool.map(abs, [-1, 2])) == [1, 2]
numpy.linalg.svd(numpy.eye(50))
json.dump({name: version(name) for name in PACKAGES}, open(out, 'w'))
"""
)


@pytest.fixture(scope="module")
def root():
    return runtime().root


def test_a_script_can_import_what_the_page_names_in_these_versions(run):
    names = sorted(set(packages()) - {"Python"})
    outcome = run(f"PACKAGES = {names}\n" + IMPORTS, memory_bytes=1 << 30)
    assert outcome.reason == "done", outcome.log
    assert json.loads(outcome.output) == {name: version(name) for name in names}
    assert set(OFFERED) <= set(names)


def test_an_outcome_names_the_runtime_by_its_content(run):
    outcome = run("import sys; open(sys.argv[2], 'w')")
    assert outcome.runtime == packages()
    assert outcome.runtime_sha256 == runtime().sha256


def test_the_list_of_files_is_what_lies_there(root):
    files = json.loads((root.parent / "manifest.json").read_text())["files"]
    found = {}
    for where, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in (*names, *folders):
            path = os.path.join(where, name)
            if os.path.islink(path):
                found[os.path.relpath(path, root)] = f"-> {os.readlink(path)}"
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    found[os.path.relpath(path, root)] = hashlib.file_digest(
                        file, "sha256"
                    ).hexdigest()
    assert found == files
    text = json.dumps(files, sort_keys=True).encode()
    assert hashlib.sha256(text).hexdigest() == runtime().sha256


def test_it_holds_no_shell_no_setuid_file_and_nothing_that_others_cannot_read(root):
    programs = []
    for where, _, names in os.walk(root):
        for name in names:
            path = os.path.join(where, name)
            mode = os.stat(path).st_mode
            assert not mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH), path
            assert mode & stat.S_IROTH, path
            if "/bin" in where.removeprefix(str(root)):
                programs.append(name)
    assert len(programs) == 2
    assert all(name.startswith("python3") for name in programs)
