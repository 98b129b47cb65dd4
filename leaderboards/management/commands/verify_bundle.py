"""Check an entry's bundle: its signature, and every field that can be computed again."""

import re
from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from leaderboards import archive, bundle, signing
from leaderboards.bundle import BundleError
from leaderboards.scoring import again
from leaderboards.scoring.verify import Row, Verdict, rows_of
from modalities.figures import MISSING

DIFFERS, UNCHECKED = 1, 2
SCORE = re.compile(r"computed\.tiers\.\w+\.figures\.score|rerun\.\w+\.score")
RERUN = re.compile(r"rerun\.\w+\.score")
LONGEST = 24


class Command(BaseCommand):
    help = """Check the signature of a bundle, score its outputs again and compare every field.

The public tier needs build_datasets to have run. Each field is confirmed, claimed by the site (its
signature is valid, and nobody else can check it), follows from claims, differs, or cannot be
checked here.

exit codes:
  0  confirmed: signed by an accepted key, and all that was computed again is as it says
  1  forged, damaged, signed by a key that is not accepted, or a field differs
  2  cannot be checked here: data, outputs or a version are missing; each row says which

--rerun runs the site's baselines again, with the code of this copy, which has to be the recorded
one: public and standard anywhere, dev and hidden only where the site keeps their truth."""

    def create_parser(self, *args: Any, **kwargs: Any) -> CommandParser:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument(
            "--key",
            action="append",
            metavar="FILE|HEX",
            help="accept this public key alone: 64 hexadecimal digits, or a file with them or with "
            "a site's list of keys (may be given several times)",
        )

        parser.add_argument("--rerun", action="store_true", help="run the baseline again, too")
        parser.add_argument(
            "--any-code",
            action="store_true",
            help="run it although this copy's physics is not the recorded one: only scores compare",
        )

    def handle(
        self, *args: Any, path: Path, key: list[str] | None, rerun: bool, **options: Any
    ) -> None:
        try:
            content = _read(path)
            keys = [each for given in key for each in signing.read_keys(given)] if key else None
            manifest, parts, signature = bundle.read(content, keys)
            self._say_who(manifest, signature)
            rows = rows_of(manifest, parts)
            if rerun:
                rows += again.rerun(manifest, parts, any_code=options["any_code"])
        except OSError as error:
            raise CommandError(
                f"{path} cannot be read: {error.strerror}.", returncode=UNCHECKED
            ) from error
        except signing.KeyFileError as error:
            raise CommandError(str(error), returncode=UNCHECKED) from error
        except BundleError as error:
            raise CommandError(f"{path}: {error}", returncode=DIFFERS) from error
        self._print(rows)
        self._conclude(rows, rerun)

    def _say_who(self, manifest: bundle.Manifest, signature: signing.Signature) -> None:
        signed = manifest["signed"]
        key, site, at = signing.key_id(signature.public_key), signed["site"], signed["at"]
        self.stdout.write(
            _plain(f"Signed by key {key} for {site} at {at}.")
            + " What happened to the entry since is on its page."
        )

    def _print(self, rows: Iterable[Row]) -> None:
        lines = [("field", "claimed", "computed again", "verdict")]
        lines += [
            (row.field, _short(row.claimed), _short(row.again), _verdict(row)) for row in rows
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
            self.stdout.write(_plain("  ".join(cells).rstrip()))

    def _conclude(self, rows: list[Row], rerun: bool) -> None:
        if wrong := [row.field for row in rows if row.verdict == Verdict.DIFFERS]:
            raise CommandError(
                f"The bundle claims what does not follow from it: {', '.join(wrong)}.",
                returncode=DIFFERS,
            )
        confirmed = [row.field for row in rows if row.verdict == Verdict.CONFIRMED]
        if not any(SCORE.fullmatch(field) for field in confirmed):
            raise CommandError(
                "The signature is valid, and no score could be checked here.", returncode=UNCHECKED
            )
        if rerun and not any(RERUN.fullmatch(field) for field in confirmed):
            raise CommandError(
                "The signature is valid and the outputs have their scores, but nothing could be "
                "run again here.",
                returncode=UNCHECKED,
            )
        claims = sum(row.verdict in (Verdict.CLAIMED, Verdict.FOLLOWS) for row in rows)
        self.stdout.write(
            f"Confirmed: {len(confirmed)} fields. {claims} more rest on the word of the site."
        )


def _read(path: Path) -> bytes:
    if path.stat().st_size > archive.LARGEST:
        raise BundleError("The file is larger than a bundle may be.")
    return path.read_bytes()


def _plain(text: str) -> str:
    """Leave out what would move the cursor or turn the text round: people choose the names."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _verdict(row: Row) -> str:
    return f"{row.verdict}: {row.why}" if row.why else str(row.verdict)


def _short(value: Any) -> str:
    text = MISSING if value in (None, "", [], {}) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
