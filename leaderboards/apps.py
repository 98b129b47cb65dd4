from django.apps import AppConfig
from django.db.models.signals import post_migrate


class LeaderboardsConfig(AppConfig):
    name = "leaderboards"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from modalities.jobs import invariants as common
        from modalities.jobs import sweeper

        from . import curators, invariants, ranking

        common.CHECKS.extend(
            [
                invariants.ledgers,
                invariants.programs,
                invariants.scores,
                invariants.attempts,
                invariants.certificates,
                invariants.methods,
            ]
        )
        sweeper.ALSO.append(ranking.rank_what_waits)
        post_migrate.connect(curators.make_group, sender=self)
