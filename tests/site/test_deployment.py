"""What the deployment page and compose.yaml say is what the code reads."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
READ_FROM_ENVIRONMENT = re.compile(r'"(PWM_[A-Z_]+)"')
CODE = ["pwmsite/settings.py", "pwmsite/server.py"]


def variables() -> set[str]:
    return {
        name for file in CODE for name in READ_FROM_ENVIRONMENT.findall((ROOT / file).read_text())
    }


def of_the_proxy() -> set[str]:
    return set(re.findall(r"\{\$(PWM_[A-Z_]+)", (ROOT / "deploy/Caddyfile").read_text()))


def compose() -> dict:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_every_variable_that_the_code_reads_is_explained() -> None:
    explained = set(re.findall(r"`(PWM_[A-Z_]+)`", (ROOT / "docs/deploy.md").read_text()))
    assert variables() <= explained


@pytest.mark.parametrize("service", compose()["services"])
def test_compose_sets_no_variable_that_nobody_reads(service: str) -> None:
    given = compose()["services"][service].get("environment", {})
    assert {name for name in given if name.startswith("PWM_")} <= (
        of_the_proxy() if service == "proxy" else variables()
    )


def test_every_variable_of_compose_is_in_the_page_that_says_how_to_write_env() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text()))
    written = set(re.findall(r"^([A-Z_]+)=", (ROOT / "docs/deploy.md").read_text(), re.MULTILINE))
    assert asked <= written


def test_the_image_holds_every_package_of_the_site() -> None:
    copied = set(
        re.findall(r"COPY (?:--chown=\w+ )?(\w+) \w+", (ROOT / "Containerfile").read_text())
    )
    assert {"pwmsite", "modalities", "leaderboards", "gallery", "realdata"} <= copied
    assert {"templates", "static"} <= copied


def test_one_service_builds_the_image_that_nobody_looks_for_elsewhere() -> None:
    ours = {name: s for name, s in compose()["services"].items() if s["image"] == "pwm"}
    assert [name for name, service in ours.items() if "build" in service] == ["prepare"]
    assert all(service["pull_policy"] == "never" for service in ours.values())


def test_the_image_can_dump_the_database_of_compose() -> None:
    client = re.search(r"postgresql-client-(\d+)", (ROOT / "Containerfile").read_text())
    assert client
    assert f":-postgres:{client[1]}}}" in compose()["services"]["database"]["image"]


def test_every_public_image_can_be_pinned_by_its_digest() -> None:
    """``.env`` may name the digests, and the page says how to look up each of them."""
    page = (ROOT / "docs/deploy.md").read_text()
    public = [s["image"] for s in compose()["services"].values() if s["image"] != "pwm"]
    public.append(compose()["services"]["prepare"]["build"]["args"]["DEBIAN_IMAGE"])
    for image in public:
        variable, tag = re.fullmatch(r"\$\{([A-Z]+_IMAGE):-(.+)\}", image).groups()
        assert f"{variable}=$(pinned {tag})" in page
    built_from = re.findall(r"^FROM (\S+)", (ROOT / "Containerfile").read_text(), re.MULTILINE)
    assert set(built_from) == {"${DEBIAN_IMAGE}"}


def test_only_who_scores_sees_the_truth() -> None:
    mounted = {
        name for name, s in compose()["services"].items() if "truth" in str(s.get("volumes"))
    }
    assert mounted == {"prepare", "worker", "background"}


def test_who_starts_programs_gets_no_key_and_no_truth() -> None:
    runner = compose()["services"]["runner"]
    given = set(runner["environment"])
    assert not given & {"PWM_DATA_KEY", "PWM_SIGNING_KEY", "AWS_SECRET_ACCESS_KEY", "PWM_STORAGE"}
    assert runner["volumes"] == ["measurements:/state/measurements:ro", "runs:/state/runs"]
    assert runner["command"].split("--queues ")[1].split()[0] == "programs"
    others = [s for name, s in compose()["services"].items() if name != "runner"]
    assert not any("programs" in str(s.get("command")) for s in others)
    unit = (ROOT / "deploy/pwm-runner.service").read_text()
    assert "keys.env" not in unit
    assert "runner.env" in unit


def test_servers_get_the_versions_that_were_tested() -> None:
    def pins(lock: str) -> set[str]:
        return set(re.findall(r"^[a-z][\w.-]*==\S+", (ROOT / lock).read_text(), re.MULTILINE))

    assert pins("requirements.lock") <= pins("requirements-server.lock")
    assert pins("requirements-server.lock") <= pins("requirements-dev.lock")
