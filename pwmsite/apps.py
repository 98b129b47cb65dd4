from django.apps import AppConfig
from django.contrib.admin import apps as admin


class SiteConfig(AppConfig):
    name = "pwmsite"
    default = True
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from modalities.jobs import forecast, sweeper

        from . import mail
        from .models import Mail, Worker

        mail.name_the_site()
        sweeper.ALSO.append(Mail.objects.retry_due)
        forecast.is_served = lambda queue: queue in Worker.objects.processes_by_queue()


class AdminConfig(admin.AdminConfig):
    default = False
    default_site = "pwmsite.admin_site.AdminSite"
