"""Make the site ready to start; safe to run again, and quick when there is nothing to do."""

import secrets
import sys
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError, call_command
from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader

from modalities import disk

OURS = ("gallery", "leaderboards", "modalities", "pwmsite", "realdata")


class Command(BaseCommand):
    help = "Bring database and catalogue up to date, and make the administrator."

    def handle(self, **options: Any) -> None:
        try:
            refuse_other_versions()
            call_command("migrate", interactive=False, verbosity=0)
        except OperationalError as error:
            if disk.is_full(error):
                raise CommandError(
                    "The disk is full; free some space and run this again."
                ) from error
            raise CommandError(
                f"The database cannot be used ({error}); see that it runs and that "
                "PWM_DATABASE_URL names it."
            ) from error
        call_command("sync_catalogue", verbosity=0)
        self.make_administrator()

    def make_administrator(self) -> None:
        """Make an administrator if there is none, and print the password, which is kept nowhere."""
        users = get_user_model().objects
        if users.filter(is_superuser=True).exists():
            return
        password = secrets.token_urlsafe(12)
        admin = users.create_superuser("admin", "admin@localhost", password)
        # No mail reaches that address, so signing in must not wait for its confirmation.
        EmailAddress.objects.create(user=admin, email=admin.email, primary=True, verified=True)
        self.stdout.write(
            f"\n    Administrator: admin    Password: {password}\n"
            "    It is shown this once; change it at /accounts/password/change/.\n"
        )


def refuse_other_versions() -> None:
    """Raise CommandError for a database that records migrations of ours which are not here.

    ``migrate`` would take its tables for up to date, because the first migration has the same name.
    """
    loader = MigrationLoader(connection)
    applied = {key for key in loader.applied_migrations if key[0] in OURS}
    if unknown := sorted(applied - set(loader.disk_migrations)):
        name = connection.settings_dict["NAME"]
        start = f"remove {name}*" if connection.vendor == "sqlite" else f"empty the database {name}"
        raise CommandError(
            f"Another version of PWM made this database ({'.'.join(unknown[0])} is not a migration "
            "of this one), so nothing was changed: keep a copy "
            f"({sys.executable} manage.py backup FILE), {start} and start with an empty site."
        )
