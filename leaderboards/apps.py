from django.apps import AppConfig


class LeaderboardsConfig(AppConfig):
    name = "leaderboards"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from modalities.jobs import invariants as common
        from modalities.jobs import sweeper

        from . import invariants, ranking

        common.CHECKS.extend(
            [
                invariants.ledgers,
                invariants.scores,
                invariants.attempts,
                invariants.certificates,
                invariants.methods,
            ]
        )
        sweeper.ALSO.append(ranking.rank_what_waits)
