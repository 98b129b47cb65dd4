"""What the site costs when it is large: pages and queues at 200 modalities, 10,000 methods and a
million submissions, on PostgreSQL.

``python -m tests.bench.bench_scale`` starts a PostgreSQL of its own, fills it by SQL and measures
the same pages and the questions that workers ask. docs/scale.md says what follows.
"""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from tests import servers

MODALITIES, METHODS, SUBMISSIONS, ENTRIES = 200, 10_000, 1_000_000, 1_000


def multiply(row: Any, times: int, **expressions: str) -> None:
    """Insert ``row`` again ``times`` times; ``expressions`` are SQL, of the number ``n``."""
    from django.db import connection

    columns = [
        f.column for f in row._meta.concrete_fields if f.column in expressions or f.column != "id"
    ]
    values = [expressions.get(column, f'"{column}"') for column in columns]
    listed = ", ".join(f'"{column}"' for column in columns)
    table = row._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{table}" ({listed}) SELECT {", ".join(values)} '
            f'FROM "{table}", generate_series(1, %s) AS n WHERE "{table}".id = %s',
            [times, row.pk],
        )
        cursor.execute(f'ANALYZE "{table}"')


def enlarge_catalogue(folder: Path) -> None:
    """Read a catalogue in which STEM stands many times."""
    from django.core.management import call_command

    from modalities.physics import catalogue
    from modalities.physics.methods import METHODS as METHODS_OF
    from modalities.physics.phantoms import PHANTOMS

    shutil.copytree(catalogue.CATALOGUE, folder)
    shutil.copy(catalogue.CATALOGUE.parent / "tiers.toml", folder.parent)
    for suffix in ("toml", "md"):
        text = (folder / f"stem.{suffix}").read_text()
        for n in range(MODALITIES - 2):
            copy = text.replace('key = "stem"', f'key = "copy_{n}"', 1)
            copy = re.sub(r'^name = ".*"$', f'name = "Copy {n}"', copy, count=1, flags=re.MULTILINE)
            (folder / f"copy_{n}.{suffix}").write_text(copy)
    for registry in (METHODS_OF, PHANTOMS):
        registry._modules |= {f"copy_{n}": registry._modules["stem"] for n in range(MODALITIES)}
    catalogue.CATALOGUE = folder
    call_command("sync_catalogue", catalogue=folder, verbosity=0)


def fill() -> None:
    """Make the rows: one of each kind by the models, and the rest after its likeness."""
    from leaderboards.models import Attempt
    from modalities.models import Modality
    from tests.factories import make_entries, make_method, make_user

    stem = Modality.objects.get(key="stem")
    first = make_method(stem)
    multiply(first, METHODS, slug="'method-' || n + 100", name="'Method ' || n + 100")
    make_entries(stem, ENTRIES)
    done = Attempt.objects.create(
        kind="file",
        modality=stem,
        method=first,
        tier="public",
        queue="scoring",
        started_by=make_user(),
        sha256="0" * 64,
    )
    old = {
        "id": "gen_random_uuid()",
        "sha256": "md5(n::text)",
        "queued_at": "now() - n * interval '1 minute'",
    }
    ended = {"state": "'succeeded'", "percent": "100", "finished_at": "now()"}
    multiply(done, SUBMISSIONS, **old, **ended)
    multiply(done, 1000, **old | {"sha256": "md5('waiting' || n)"})


def ranking() -> tuple[float, int]:
    """Rank the long board again; give milliseconds of CPU and the number of queries."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from leaderboards.models import Board, Ranking
    from leaderboards.ranking import rank_what_waits
    from modalities.models import Modality

    taken = []
    for _ in range(5):
        Ranking.ask(Modality.objects.get(key="stem"), Board.CHALLENGE)
        with CaptureQueriesContext(connection) as queries:
            begun = time.process_time()
            rank_what_waits()
            taken.append(time.process_time() - begun)
    return 1000 * median(taken), len(queries)


def wall(ask: Callable[[], Any], rounds: int = 7) -> float:
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - begun)
    return 1000 * median(taken)


def queues() -> dict[str, float]:
    """Ask what workers, waiting people and operators ask; milliseconds of waiting."""
    from leaderboards.models import Attempt
    from modalities.jobs.forecast import place_in_queue
    from modalities.jobs.sweeper import sweep
    from pwmsite.operations import queues_of

    last = Attempt.objects.queued().in_queue_order().last()
    assert last
    return {
        "place of the last of 1,000 waiting": wall(lambda: place_in_queue(last)),
        "a sweep": wall(sweep),
        "the operators' counts": wall(lambda: queues_of(Attempt)),
        "claim and release of a job": wall(lambda: last.claim("bench") and last.release()),
    }


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="pwm") as name, servers.postgres(Path(name)) as url:
        Path(name).chmod(0o755)
        os.environ |= {"PWM_VAR": f"{name}/var", "PWM_DATABASE_URL": url, "PWM_COLLECTED": "1"}
        os.environ |= {"PWM_ALLOWED_HOSTS": "testserver", "PWM_LOG_LEVEL": "ERROR"}
        os.environ["DJANGO_SETTINGS_MODULE"] = "pwmsite.settings"
        os.chown(name, os.geteuid(), -1)
        import django

        django.setup()
        from django.core.management import call_command

        from tests.bench.bench_pages import measure

        call_command("prepare", verbosity=0)
        small = measure()
        enlarge_catalogue(Path(name) / "catalogue")
        fill()
        large = measure()
        print(f"\n{'CPU per request (ms)':<40}{'empty':>10}{'full':>10}")  # noqa: T201
        for what, taken in small.items():
            print(f"{what:<40}{taken:10.2f}{large[what]:10.2f}")  # noqa: T201
        spent, asked = ranking()
        print(f"\nRanking {ENTRIES} entries: {spent:.0f} ms of CPU, {asked} queries")  # noqa: T201
        print("\nWaiting (ms), a million submissions")  # noqa: T201
        for what, taken in queues().items():
            print(f"{what:<40}{taken:10.2f}")  # noqa: T201


if __name__ == "__main__":
    main()
