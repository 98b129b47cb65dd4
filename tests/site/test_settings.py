"""Settings refuse what they cannot use, in a sentence, and keep what they make."""

import os
import secrets
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from pwmsite import environment

ROOT = Path(__file__).resolve().parents[2]
STRONG = {"PWM_SECRET_KEY": secrets.token_urlsafe(48), "PWM_DATA_KEY": secrets.token_urlsafe(48)}
PRODUCTION = {"PWM_DEBUG": "0", "PWM_ALLOWED_HOSTS": "pwm.example.org", **STRONG}


def manage(*arguments: str, var: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py in a process of its own, with these variables and no other of PWM's."""
    return python("manage.py", *arguments, var=var, **given)


def ask(code: str, var: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` with these settings, and without the time that loading all of the site takes."""
    return python("-c", code, var=var, DJANGO_SETTINGS_MODULE="pwmsite.settings", **given)


def python(*arguments: str, var: Path, **given: str) -> subprocess.CompletedProcess[str]:
    inherited = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("PWM_", "PYTEST_", "DJANGO_ALLOW_"))
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=inherited | {"PWM_VAR": str(var)} | given,
        capture_output=True,
        text=True,
    )


def test_check_deploy_is_clean_in_production(tmp_path: Path) -> None:
    done = manage("check", "--deploy", "--fail-level", "INFO", var=tmp_path, **PRODUCTION)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("missing", ["PWM_SECRET_KEY", "PWM_ALLOWED_HOSTS"])
def test_production_asks_for_what_is_missing_in_one_sentence(tmp_path: Path, missing: str) -> None:
    given = {name: value for name, value in PRODUCTION.items() if name != missing}
    done = manage("check", var=tmp_path, **given)
    assert done.returncode == 1
    assert done.stderr.startswith(f"manage.py: {missing} is not set")
    assert "Traceback" not in done.stderr


def test_a_machine_without_the_data_key_says_so_when_it_is_to_make_data(tmp_path: Path) -> None:
    given = {name: value for name, value in PRODUCTION.items() if name != "PWM_DATA_KEY"}
    asked = "from modalities import datasets, physics; datasets.draw(physics.load('stem'), {!r})"
    for tier, told in (("public", ""), ("dev", "PWM_DATA_KEY is not set here")):
        done = ask(asked.format(tier), tmp_path, **given)
        assert told in done.stderr
        assert (done.returncode == 0) == (not told)
    assert not (tmp_path / "data_key").exists()


def test_a_machine_in_production_signs_only_with_a_key_that_it_was_given(tmp_path: Path) -> None:
    asked = "import django; django.setup(); from leaderboards import signing; signing.sign(b'')"
    done = ask(asked, tmp_path, **PRODUCTION)
    assert "PWM_SIGNING_KEY is not set here" in done.stderr
    assert not (tmp_path / "signing_key").exists()
    assert (
        ask(asked, tmp_path, **PRODUCTION, PWM_SIGNING_KEY=secrets.token_urlsafe(48)).stderr == ""
    )


@pytest.mark.parametrize(
    ("mail", "said"),
    [
        ("", "optional console console"),
        ("smtp+tls://ann:secret@mail.example.org:587", "mandatory mail smtp"),
    ],
)
def test_addresses_are_confirmed_only_where_mail_can_be_sent(
    tmp_path: Path, mail: str, said: str
) -> None:
    asked = (
        "from django.conf import settings as s; "
        "print(s.ACCOUNT_EMAIL_VERIFICATION, s.EMAIL_BACKEND.split('.')[-2], "
        "s.PWM_MAIL_BACKEND.split('.')[-2])"
    )
    done = ask(asked, tmp_path, PWM_EMAIL_URL=mail)
    assert done.stdout.strip() == said, done.stderr


def test_staff_need_a_second_factor_in_production_alone(tmp_path: Path) -> None:
    asked = "from django.conf import settings as s; print(s.PWM_SECOND_FACTOR)"
    assert ask(asked, tmp_path, **PRODUCTION).stdout.strip() == "True"
    assert ask(asked, tmp_path).stdout.strip() == "False"


def test_a_weak_key_is_refused(tmp_path: Path) -> None:
    done = manage("check", var=tmp_path, **PRODUCTION | {"PWM_SECRET_KEY": "a" * 60})
    assert "PWM_SECRET_KEY is too weak" in done.stderr


WORDS = "Correct horse battery staple, said 4 of us in the laboratory"


@pytest.mark.parametrize("weak", [WORDS, WORDS.replace(" ", "").lower(), "Ab1" * 20, "0123" * 20])
def test_a_data_key_that_somebody_thought_up_is_refused(tmp_path, monkeypatch, weak):
    """Each guess of it could be tested against the files that everybody can download."""
    monkeypatch.setenv("PWM_DATA_KEY", weak)
    with pytest.raises(ImproperlyConfigured, match=r"PWM_DATA_KEY is (too weak|no random)"):
        environment.data_key("PWM_DATA_KEY", tmp_path / "data_key")


def test_a_data_key_that_was_cut_short_on_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("PWM_DATA_KEY", raising=False)
    kept = tmp_path / "data_key"
    kept.write_text(secrets.token_urlsafe(24))
    with pytest.raises(ImproperlyConfigured, match=f"{kept} is no random key"):
        environment.data_key("PWM_DATA_KEY", kept)


@pytest.mark.parametrize("make", [lambda: secrets.token_urlsafe(48), lambda: secrets.token_hex(32)])
def test_a_data_key_from_a_generator_is_taken(tmp_path, monkeypatch, make):
    for _ in range(10):
        given = make()
        monkeypatch.setenv("PWM_DATA_KEY", given)
        assert environment.data_key("PWM_DATA_KEY", tmp_path / "data_key") == given


def test_home_makes_its_keys_once_and_keeps_them_to_itself(tmp_path: Path) -> None:
    show = "from django.conf import settings as s; print(s.DATA_KEY, s.SIGNING_KEY)"
    first, second = (ask(show, tmp_path).stdout for _ in range(2))
    assert min(map(len, first.split())) > 50
    assert len(set(first.split())) == 2
    assert first == second
    for name in ("secret_key", "data_key", "signing_key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_state_folder_that_cannot_be_made_is_named() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"/proc/pwm cannot be made .* PWM_VAR "):
        environment.state_folder(Path("/proc/pwm"))


def test_sqlite_waits_for_other_writers_and_keeps_a_log_ahead(tmp_path: Path) -> None:
    pragmas = "; ".join(
        f"print(c.execute('PRAGMA {name}').fetchone()[0])"
        for name in ("journal_mode", "foreign_keys", "busy_timeout")
    )
    show = f"from django.db import connection; c = connection.cursor(); {pragmas}"
    done = ask(show, tmp_path)
    assert done.stdout.split() == ["wal", "1", "20000"], done.stderr


def test_postgresql_is_taken_by_its_url() -> None:
    settings = environment.database("postgresql://pwm:secret@db.example.org/pwm")
    assert settings["ENGINE"] == "django.db.backends.postgresql"
    assert settings["HOST"] == "db.example.org"


@pytest.mark.parametrize(
    ("read", "url", "named"),
    [
        (environment.database, "mysql://host/pwm", "PWM_DATABASE_URL"),
        (lambda url: environment.broker(url, Path()), "sqs://", "PWM_BROKER_URL"),
        (environment.cache, "memcache://host", "PWM_CACHE_URL"),
        (environment.storage, "s3://", "PWM_STORAGE"),
        (environment.storage, "s3://bucket?zone=1", "PWM_STORAGE"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(read, url: str, named: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=named):
        read(url)


def test_s3_takes_bucket_prefix_and_endpoint() -> None:
    options = environment.storage("s3://pictures/pwm/?endpoint=http://127.0.0.1:9000")["OPTIONS"]
    assert options["bucket_name"] == "pictures"
    assert options["location"] == "pwm"
    assert options["endpoint_url"] == "http://127.0.0.1:9000"


def test_a_domain_is_preloaded_only_where_its_owner_asks_for_that(tmp_path: Path) -> None:
    show = "from django.conf import settings as s; print(s.SECURE_HSTS_PRELOAD)"
    assert ask(show, tmp_path, **PRODUCTION).stdout.strip() == "False"
    assert ask(show, tmp_path, **PRODUCTION, PWM_HSTS_PRELOAD="1").stdout.strip() == "True"
