from django.apps import AppConfig


class LeaderboardsConfig(AppConfig):
    name = "leaderboards"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from modalities.jobs import invariants as common

        from . import invariants

        common.CHECKS.extend([invariants.ledgers, invariants.scores, invariants.methods])
