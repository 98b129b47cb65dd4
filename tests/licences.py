"""What a server installs, under which licences: docs/licences.md, and a bill of materials.

``python -m tests.licences page`` prints the page, ``bill`` a CycloneDX document (JSON): every
package of requirements-server.lock with its version, the hashes that the lock accepts, and the
licence that the package itself declares.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements-server.lock"
PAGE = ROOT / "docs/licences.md"
PINNED = re.compile(r"^([a-z0-9][\w.-]*)==(\S+)((?:\s*\\\n\s+--hash=sha256:[0-9a-f]{64})+)", re.M)

# Licences, as packages spell them, that let their work be shipped with ours under the MIT licence.
PERMISSIVE = {
    *("0BSD", "BSD", "BSD License", "BSD-2-Clause", "BSD-3-Clause", "BSD 3-Clause", "New BSD"),
    *("Apache-2.0", "Apache 2", "Apache License 2.0", "Apache Software License"),
    *(
        "MIT",
        "MIT License",
        "MIT-0",
        "MIT-CMU",
        "Zlib",
        "CC0-1.0",
        "ZPL-2.1",
        "Zope Public License",
    ),
    *("PSF-2.0", "Python Software Foundation License", "Apache-2.0 WITH LLVM-exception"),
}
# Those that ask something of who ships the package, which an unchanged, replaceable package meets.
AS_A_LIBRARY = {
    "LGPL-3.0-only": "a library of its own, unchanged, which anybody may replace",
    "Mozilla Public License 2.0 (MPL 2.0)": "asks for the source of changed files; none is changed",
}


def packages() -> list[tuple[str, str, list[str]]]:
    """List name, version and SHA-256 hashes of what the lock of servers names."""
    return [
        (name, version, re.findall(r"sha256:([0-9a-f]{64})", hashes))
        for name, version, hashes in PINNED.findall(LOCK.read_text())
    ]


def declared(name: str) -> str:
    """Return the licence that an installed package declares.

    An SPDX expression comes first, then a short text that we know, then the classifiers: some put
    the whole licence into that field, or no more than "Dual License".
    """
    facts = distribution(name).metadata
    short = (facts.get("License") or "").strip()
    if expression := facts.get("License-Expression"):
        return expression
    if all(known(part) for part in alternatives(short)):
        return short
    named = [c.rpartition(" :: ")[2] for c in facts.get_all("Classifier") or []]
    return " AND ".join(c for c in named if "License" in c) or short


def alternatives(licence: str) -> list[str]:
    return licence.split(" OR ")


def known(licence: str) -> bool:
    """Tell whether all parts of a licence are such that the package can be shipped with ours."""
    return all(part in PERMISSIVE | AS_A_LIBRARY.keys() for part in licence.split(" AND "))


def fits(licence: str) -> bool:
    return any(known(choice) for choice in alternatives(licence))


def page() -> str:
    """Write the table of docs/licences.md."""
    rows = [f"| {name} | {declared(name)} |" for name, _, _ in packages()]
    reasons = [f"- {licence}: {why}." for licence, why in AS_A_LIBRARY.items()]
    return "\n".join(
        [
            "# Licences of what PWM is made with",
            "",
            "The code is under the MIT licence ([LICENSE](../LICENSE)). A server installs the "
            "packages of `requirements-server.lock`,\nwhich stay under their own licences, as each "
            "declares it. `make licences` writes this table, and a test refuses\na package whose "
            "licence the MIT licence cannot be shipped with.",
            "",
            "| package | licence |",
            "|---|---|",
            *rows,
            "",
            "Two of these licences ask more than to be named:",
            "",
            *reasons,
            "",
        ]
    )


def bill() -> str:
    """Write the bill of materials, CycloneDX 1.6 as JSON."""
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    make = LicenseFactory().make_from_string
    bom = Bom()
    site = Component(name="pwm", type=ComponentType.APPLICATION, bom_ref="pwm")
    bom.metadata.component = site
    for name, version, hashes in packages():
        purl = PackageURL("pypi", name=name, version=version)
        bom.components.add(
            Component(
                name=name,
                version=version,
                purl=purl,
                bom_ref=str(purl),
                licenses=[make(declared(name))],
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=hash) for hash in hashes],
            )
        )
    bom.register_dependency(site, bom.components)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write({"page": page, "bill": bill}[sys.argv[1]]())
