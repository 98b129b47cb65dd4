"""The units of systemd run what the containers run, with as few rights."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "/opt/pwm/.venv/bin/"
UNITS = {path.stem: path for path in sorted((ROOT / "deploy").glob("*.service"))}
SERVICES = {
    "pwm-worker": "worker",
    "pwm-background": "background",
    "pwm-runner": "runner",
    "pwm-mail": "mail",
    "pwm-clock": "clock",
    "pwm-fill": "prepare",
}


def settings(unit: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNITS[unit].read_text(), re.MULTILINE)


def words(command: str) -> list[str]:
    """Split a command; where its files are does not matter, nor what tells workers apart."""
    told = shlex.split(re.sub(r" --hostname \S+", "", command.replace(PYTHON, "")))
    return [word for word in told if not word.startswith(("/tmp/", "/var/lib/"))]


def in_containers(unit: str) -> list[list[str]]:
    """Return the commands of the container that does the same."""
    if unit == "pwm-web":
        (command,) = re.findall(r"^CMD (\[.*\])$", (ROOT / "Containerfile").read_text(), re.M)
        return [yaml.safe_load(command)]
    command = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"][SERVICES[unit]]
    steps = re.sub(r'^sh -c "(.*)"$', r"\1", command["command"]).split(" && ")
    return [words(step) for step in steps if "make_buckets" not in step]


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_runs_what_its_container_runs(unit: str) -> None:
    assert [words(command) for command in settings(unit, "ExecStart")] == in_containers(unit)


def test_there_is_one_for_each_process_of_the_site() -> None:
    assert set(UNITS) == {"pwm-web", *SERVICES}


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_has_no_rights_that_it_does_not_need(unit: str) -> None:
    assert settings(unit, "User") == ["pwm"]
    for name, value in (
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("UMask", "0077"),
    ):
        assert settings(unit, name) == [value]


def test_only_those_that_score_are_given_their_keys_and_see_the_truth() -> None:
    knowing = {unit for unit in UNITS if "/etc/pwm/keys.env" in settings(unit, "EnvironmentFile")}
    hidden = {unit for unit in UNITS if settings(unit, "InaccessiblePaths")}
    assert knowing == {"pwm-fill", "pwm-worker", "pwm-background"}
    assert hidden == set(UNITS) - knowing


def test_the_page_says_how_to_install_them() -> None:
    page = (ROOT / "docs/deploy.md").read_text()
    assert all(unit in page for unit in UNITS)
    assert all(path in page for path in ("/etc/pwm/site.env", "/etc/pwm/keys.env", "/opt/pwm"))
