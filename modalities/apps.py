from django.apps import AppConfig


class ModalitiesConfig(AppConfig):
    name = "modalities"
    default_auto_field = "django.db.models.BigAutoField"
