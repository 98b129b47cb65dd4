"""People's programs in tests: sent as forms send them, and the site's own methods as scripts."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from leaderboards import programs
from leaderboards.models import Attempt
from leaderboards.sandbox.runtime import PYTHON, runtime
from modalities.physics.versions import HERE

from . import challenge
from .sandbox import containers

# Reconstructs with the physics of this site, which it carries along.
METHOD = """
import base64, io, json, sys, zipfile
zipfile.ZipFile(io.BytesIO(base64.b64decode({physics!r}))).extractall("/work/site")
sys.path.insert(0, "/work/site")
import h5py
from modalities import physics

spec = physics.load({key!r})
with h5py.File(sys.argv[1], "r") as given, h5py.File(sys.argv[2], "w") as written:
    ys = {{name: physics.double(given[name]["y"][:]) for name in sorted(given)}}
    ranges = json.loads(given["sample_00"].attrs["spec_ranges"])
    ends = {{name: (low, high) for name, (low, high, _) in ranges.items()}}
    found = physics.calibrate(spec, list(ys.values()), ends)
    H = physics.forward(spec, **found.values)
    for name, y in ys.items():
        group = written.create_group(name)
        group["x_hat"] = physics.single(physics.reconstruct({method!r}, H, y))
        group.attrs["corrected_spec"] = json.dumps(found.values)
print("calibrated", found.values)
"""


def method_as_script(key: str, method: str) -> bytes:
    """Write a script that calibrates and reconstructs as the site's baseline does."""
    packed, root = io.BytesIO(), HERE.parents[1]
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("modalities/__init__.py", "")
        for folder in (HERE, HERE.parent / "catalogue"):
            for path in sorted(folder.rglob("*")):
                if path.suffix in (".py", ".toml"):
                    archive.write(path, path.relative_to(root))
        archive.write(HERE.parent / "tiers.toml", "modalities/tiers.toml")
    text = base64.b64encode(packed.getvalue()).decode()
    return METHOD.format(physics=text, key=key, method=method).encode()


def method_as_container(key: str, method: str) -> bytes:
    """Pack the same script with all that it runs in, so that it needs nothing from here."""
    made, layer = runtime(), io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        archive.add(made.root, ".")
        script = method_as_script(key, method)
        about = tarfile.TarInfo("algo.py")
        about.size = len(script)
        archive.addfile(about, io.BytesIO(script))
    return containers.oci(layer.getvalue(), Entrypoint=[PYTHON, "/algo.py"], Cmd=None)


def send(method: Any, source: bytes = b"print()", tier: str = "hidden", **more: Any) -> Attempt:
    """Send a program by the method's owner; give the run, a new one or the one that it was."""
    upload: Any = SimpleUploadedFile("algo.py", source)
    upload.sha256 = hashlib.sha256(source).hexdigest()
    fields = {"modality": method.modalities.get(), "method": method, "tier": tier} | more
    made, _ = programs.submit_program(method.owner, upload, **{"form": "script"} | fields)
    return made


def step(attempt: Attempt) -> Attempt:
    """Do the next step of a run as its worker does, and read what became of it."""
    attempt.refresh_from_db()
    challenge.run(attempt)
    return Attempt.objects.get(pk=attempt.pk)
