"""Unpack one archive. Run by path: ``python -I child.py CAPS PARENT UID SPOOL ROOT``.

Standard input: the archive, an open file. PARENT: the process that starts it, without which it
ends. UID: whom to become where that is root. SPOOL and ROOT are descriptors: an empty file without
a name, and the folder to write below. Standard output: one line of JSON, which is
``{"problems": […]}`` for the sender, ``{"fault": "…"}`` for the operator, ``{"unavailable": "…"}``
where a layer of the confinement is missing, or what the image says of itself.
"""

import errno
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

# What an archive can bring about by its names, links and sizes; anything else is the machine's.
OF_THE_ARCHIVE = {
    *(errno.ENAMETOOLONG, errno.ELOOP, errno.EMLINK, errno.EFBIG, errno.EILSEQ, errno.EINVAL),
}


def main() -> None:
    here = Path(__file__).resolve().parent
    # At the end, so that no module of the standard library is hidden by one of ours.
    site = here.parents[1]
    sys.path += [str(here.parent), str(site / "guards"), str(site / "intake")]
    from images.caps import BadArchive, Caps
    from images.confine import confine
    from images.unpacking import unpack
    from kernel_guards import LockdownError

    most = Caps.from_json(sys.argv[1])
    parent, uid, spool, folder = map(int, sys.argv[2:])
    os.umask(0o022)
    try:
        confine(folder, uid, parent, most)
    except (LockdownError, OSError, ValueError) as error:
        answer({"unavailable": str(error)})
    try:
        found = unpack(0, spool, folder, most)
    except BadArchive as error:
        answer({"problems": error.problems})
    except MemoryError:
        answer({"problems": ["The archive needs more memory to unpack than it may take."]})
    except OSError as error:
        if error.errno in OF_THE_ARCHIVE:
            answer({"problems": [f"A name or link in the image is impossible ({error.strerror})."]})
        answer({"fault": os.strerror(error.errno or 0)})
    answer(asdict(found))


def answer(line: dict) -> None:
    out = json.dumps(line).encode() + b"\n"
    while out:
        out = out[os.write(1, out) :]
    os._exit(0)


main()
