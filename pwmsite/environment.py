"""What the environment says, read and checked: folders, keys, broker, cache, storage, database.

Every function turns one variable into what Django or Celery expects, and refuses what it cannot
use with a sentence that says how to go on.
"""

import os
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from kombu.transport import TRANSPORT_ALIASES

WEAKEST_KEY = 50  # characters; what Django's own check (security.W009) asks for
DISTINCT_IN_KEY = 5
# What generators write when 256 bits are asked for: base64 (6 bits a character) or hexadecimal (4).
RANDOM = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9_+/-])[A-Za-z0-9_+/=-]{43,}|[0-9a-fA-F]{64,}")
DISTINCT_IN_RANDOM = 12
MAKE_ONE = "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
SQLITE_WAIT = 20  # seconds that a writer waits for another one
BROKER_WAIT = 2.0  # seconds for which a visitor waits for a broker that does not answer
# A store that accepts connections and never answers holds a thread for two tries and a pause of a
# second at most, and then the visitor is told: 11 seconds, not minutes.
STORE_CONNECT, STORE_READ, STORE_TRIES = 2.0, 5.0, 2  # seconds, seconds, tries in all


def state_folder(path: Path) -> Path:
    """Make the folder that holds the site's state, and check that it can be written."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"The folder {path} cannot be made ({error.strerror}). "
            "Set PWM_VAR to a folder that can be."
        ) from error
    if not os.access(path, os.W_OK):
        raise ImproperlyConfigured(
            f"The folder {path} cannot be written. Set PWM_VAR to a folder that can be."
        )
    return path


def data_key(variable: str, kept_at: Path) -> str:
    """Return the secret that data follow from, which must look like 256 random bits.

    Whoever guesses it has every truth, and each guess can be tested at home against public files.
    No check sees that a string is random; this one refuses words, sentences and repetitions.
    """
    found = key(variable, kept_at, required=False)
    if not RANDOM.fullmatch(found) or len(set(found)) < DISTINCT_IN_RANDOM:
        where = variable if os.environ.get(variable) else str(kept_at)
        raise ImproperlyConfigured(
            f"{where} is no random key of 256 bits, and the truth of the dev and hidden tiers "
            f"follows from it. Make one with: {MAKE_ONE}"
        )
    return found


def key(variable: str, kept_at: Path, required: bool) -> str:
    """Return the secret of ``variable``, or one made once and kept at ``kept_at`` (mode 0600).

    In production (``required``) it must be given: machines that each make their own would not
    understand each other, and a key that is lost with a disk takes sessions or data with it.
    """
    given = os.environ.get(variable, "")
    if not given and required:
        raise ImproperlyConfigured(
            f"{variable} is not set, and in production (PWM_DEBUG=0) it must be. "
            f"Make one with: {MAKE_ONE}"
        )
    if not given:
        return _kept(kept_at)
    if len(given) < WEAKEST_KEY or len(set(given)) < DISTINCT_IN_KEY:
        raise ImproperlyConfigured(
            f"{variable} is too weak: give at least {WEAKEST_KEY} random characters. "
            f"Make them with: {MAKE_ONE}"
        )
    return given


def _kept(path: Path) -> str:
    """Read the secret at ``path``, making it first if there is none.

    It is written under another name and then linked, because two processes may start at once and
    neither must read half of what the other writes; the first link wins.
    """
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


def database(url: str) -> dict[str, Any]:
    """Return Django's settings of the database at ``url`` (SQLite or PostgreSQL)."""
    settings: dict[str, Any] = dict(environ.Env.db_url_config(url))
    if settings["ENGINE"] == "django.db.backends.sqlite3":
        settings["CONN_MAX_AGE"] = None
        # IMMEDIATE: a transaction that reads first and writes later takes the write lock at its
        # start and waits for it; SQLite would otherwise refuse it at once, without waiting.
        # recursive_triggers: REPLACE deletes a row, and the guards of history are to see that.
        settings["OPTIONS"] = {
            "timeout": SQLITE_WAIT,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON; "
            "PRAGMA recursive_triggers=ON;",
        }
    elif settings["ENGINE"] == "django.db.backends.postgresql":
        settings.update(CONN_MAX_AGE=600, CONN_HEALTH_CHECKS=True)
    else:
        raise ImproperlyConfigured(
            f"PWM_DATABASE_URL is {url.split(':')[0]}:…; "
            "give sqlite:///path or postgresql://user:password@host/name."
        )
    return settings


def broker(url: str, folder: Path) -> dict[str, Any]:
    """Return Celery's broker settings; ``filesystem://`` keeps its messages under ``folder``."""
    scheme = url.split(":")[0]
    if scheme not in {"filesystem", "redis", "rediss", "amqp", "amqps"}:
        raise ImproperlyConfigured(
            f"PWM_BROKER_URL starts with {scheme}:; give filesystem://, redis://host or amqp://host."
        )
    if scheme != "filesystem":
        return {"url": url, "options": _hurry(scheme)}
    TRANSPORT_ALIASES["folder"] = "pwmsite.folder_broker:Transport"
    messages, control = folder / "messages", folder / "control"
    for path in (messages, control):
        path.mkdir(parents=True, exist_ok=True)
    return {
        "url": "folder://localhost",
        "options": {
            "data_folder_in": str(messages),
            "data_folder_out": str(messages),
            "control_folder": str(control),
        },
    }


def _hurry(scheme: str) -> dict[str, Any]:
    """Say how soon to give up: a visitor waits for the message to be sent, and the sweeper sends it
    again later. By default a socket waits for minutes when the broker's machine has gone."""
    tries = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}
    waits = ["connect_retries_timeout"]
    if scheme.startswith("redis"):
        waits += ["socket_connect_timeout", "socket_timeout"]
    else:
        waits += ["connect_timeout", "read_timeout", "write_timeout"]
    return tries | dict.fromkeys(waits, BROKER_WAIT)


def cache(url: str) -> dict[str, Any]:
    """Return Django's settings of the cache at ``url`` (local memory or Redis)."""
    scheme = url.split(":")[0]
    if scheme == "locmem":
        backend = "django.core.cache.backends.locmem.LocMemCache"
        return {"BACKEND": backend, "LOCATION": "pwm", "OPTIONS": {"MAX_ENTRIES": 1000}}
    if scheme in {"redis", "rediss"}:
        from pwmsite import shared_cache

        backend = "pwmsite.shared_cache.SharedCache"
        return {"BACKEND": backend, "LOCATION": url, "OPTIONS": shared_cache.OPTIONS}
    raise ImproperlyConfigured(
        f"PWM_CACHE_URL starts with {scheme}:; give locmem:// or redis://host."
    )


def storage(where: str, variable: str = "PWM_STORAGE") -> dict[str, Any]:
    """Return Django's storage for ``where``: a folder, or ``s3://bucket/prefix?endpoint=…&region=…``.

    Keys of S3 come from its own variables (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or from the
    machine's role; they are never part of this one. A storage may have keys of its own, in
    variables whose names begin with that of the storage: <variable>_KEY_ID and <variable>_SECRET.
    """
    if not where.startswith("s3:"):
        return {
            "BACKEND": "modalities.storage.WholeFileStorage",
            "OPTIONS": {"location": where, "file_permissions_mode": 0o600},
        }
    parts = urlsplit(where)
    if not parts.hostname:
        raise ImproperlyConfigured(
            "PWM_STORAGE names no bucket; give s3://bucket or s3://bucket/prefix?endpoint=https://…"
        )
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    known = {"endpoint": "endpoint_url", "region": "region_name"}
    if unknown := asked.keys() - known:
        raise ImproperlyConfigured(
            f"PWM_STORAGE has {', '.join(sorted(unknown))} after its question mark; "
            f"known are {', '.join(known)}."
        )
    options: dict[str, Any] = {"bucket_name": parts.hostname, "location": parts.path.strip("/")}
    options |= {"file_overwrite": True, "default_acl": None}
    options |= {known[name]: value for name, value in asked.items()}
    if own := os.environ.get(f"{variable}_KEY_ID"):
        options |= {"access_key": own, "secret_key": os.environ.get(f"{variable}_SECRET", "")}
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options | _patience()}


def _patience() -> dict[str, Any]:
    """Say how long to wait for S3, and for how many threads there are connections."""
    try:
        from boto3.s3.transfer import TransferConfig
        from botocore.config import Config
    except ImportError as error:
        raise ImproperlyConfigured(
            "PWM_STORAGE is s3:…, which needs two more packages: "
            "pip install --require-hashes -r requirements-server.lock."
        ) from error
    config = Config(
        connect_timeout=STORE_CONNECT,
        read_timeout=STORE_READ,
        retries={"mode": "standard", "total_max_attempts": STORE_TRIES},
        max_pool_connections=max(10, int(os.environ.get("PWM_WEB_THREADS", "4"))),
    )
    # The transfer has tries of its own, five of them; those above are enough.
    return {
        "client_config": config,
        "transfer_config": TransferConfig(num_download_attempts=1),
    }
