"""What servers install may be shipped with a site under the MIT licence, and is listed."""

from __future__ import annotations

import json
import re

import pytest

from tests import licences


@pytest.mark.parametrize("name", [name for name, _, _ in licences.packages()])
def test_the_licence_of_every_package_fits_ours(name: str) -> None:
    assert licences.fits(licences.declared(name)), licences.declared(name)


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "AGPL-3.0", "MIT AND GPL-2.0-only", ""])
def test_a_licence_that_does_not_fit_is_refused(licence: str) -> None:
    assert not licences.fits(licence)


def test_a_package_of_the_lock_has_hashes_and_none_is_overlooked() -> None:
    found = licences.packages()
    pins = re.findall(r"^[a-z0-9][\w.-]*==", licences.LOCK.read_text(), re.MULTILINE)
    assert len(found) == len(pins) > 50
    assert all(hashes for _, _, hashes in found)


def test_the_page_lists_what_the_lock_names() -> None:
    assert licences.PAGE.read_text() == licences.page(), "run make licences"


def test_the_bill_of_materials_is_valid_and_complete() -> None:
    pytest.importorskip("cyclonedx", reason="make dev installs it")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = licences.bill()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    components = json.loads(text)["components"]
    assert len(components) == len(licences.packages())
    assert all(part["licenses"] and part["hashes"] for part in components)
