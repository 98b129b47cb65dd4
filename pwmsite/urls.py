"""The map of the site."""

from django.contrib import admin
from django.urls import include, path

from modalities.views import data
from pwmsite import account, health, operations, sign_up, views

# Composed of several apps, so that they live here and not in modalities.
modality_pages = [
    path("<slug:key>/", views.modality, name="page"),
    path("<slug:key>/data/<slug:tier>.h5", data, name="data"),
]

handler429 = views.too_many  # what allauth answers when a limit is reached
handler500 = "pwmsite.errors.server_error"

urlpatterns = [
    path("", views.home, name="home"),
    path("about/", views.about, name="about"),
    path("accounts/", account.page, name="account"),
    path("accounts/credits/", account.credits_page, name="credits"),
    path("accounts/tokens/", account.make_token, name="make_token"),
    path("accounts/tokens/<int:pk>/revoke/", account.revoke_token, name="revoke_token"),
    path("accounts/signup/", sign_up.sign_up, name="account_signup"),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("api/", views.api, name="api"),
    path("api/v1/", include("pwmsite.api")),
    path("corner/", views.corner, name="corner"),
    path("", include("gallery.urls")),
    path("", include("leaderboards.urls")),
    path("programs/", views.programs_guide, name="programs"),
    path("search/", views.search, name="search"),
    path("modalities/", include((modality_pages, "modalities"))),
    path("healthz", health.healthz, name="healthz"),
    path("metrics", operations.metrics, name="metrics"),
    path("operations/", operations.page, name="operations"),
    path("", include("realdata.urls")),
    path("readyz", health.readyz, name="readyz"),
]
