from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "pwmsite"

    def ready(self) -> None:
        from modalities.jobs import forecast

        from .models import Worker

        forecast.is_served = lambda queue: queue in Worker.objects.processes_by_queue()
