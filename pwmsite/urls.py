"""The map of the site."""

from django.contrib import admin
from django.urls import include, path

from pwmsite import health, operations

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("", include("gallery.urls")),
    path("healthz", health.healthz, name="healthz"),
    path("metrics", operations.metrics, name="metrics"),
    path("operations/", operations.page, name="operations"),
    path("readyz", health.readyz, name="readyz"),
]
