from django.apps import AppConfig
from django.contrib.admin import apps as admin


class SiteConfig(AppConfig):
    name = "pwmsite"
    default = True
    default_auto_field = "django.db.models.BigAutoField"


class AdminConfig(admin.AdminConfig):
    default = False
    default_site = "pwmsite.admin_site.AdminSite"
