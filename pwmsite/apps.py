from django.apps import AppConfig
from django.contrib.admin import apps as admin


class SiteConfig(AppConfig):
    name = "pwmsite"
    default = True
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from allauth.mfa.signals import authentication_failed
        from django.contrib.auth.signals import user_login_failed

        from leaderboards import programs
        from modalities.jobs import forecast, sweeper

        from . import mail, security_log
        from .models import Mail, Worker

        mail.name_the_site()
        user_login_failed.connect(security_log.wrong_password)
        authentication_failed.connect(security_log.wrong_code)
        sweeper.ALSO.append(Mail.objects.retry_due)
        programs.runners = Worker.objects.runners
        forecast.is_served = lambda queue: queue in Worker.objects.processes_by_queue()


class AdminConfig(admin.AdminConfig):
    default = False
    default_site = "pwmsite.admin_site.AdminSite"
