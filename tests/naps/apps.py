from django.apps import AppConfig


class NapsConfig(AppConfig):
    name = "tests.naps"
    label = "naps"
    default_auto_field = "django.db.models.BigAutoField"
