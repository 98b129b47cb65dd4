from django.apps import AppConfig


class RealDataConfig(AppConfig):
    name = "realdata"
    default_auto_field = "django.db.models.BigAutoField"
