from django.apps import AppConfig


class GalleryConfig(AppConfig):
    name = "gallery"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from modalities.jobs import invariants

        from . import orphans

        invariants.CHECKS.append(orphans.missing)
