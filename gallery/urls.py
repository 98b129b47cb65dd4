"""Addresses of the gallery: runs, their progress and their files."""

from django.urls import path

from . import submission_views, views

app_name = "gallery"
urlpatterns = [
    path("modalities/<slug:key>/compute/", views.compute, name="compute"),
    path("runs/<uuid:pk>/", views.run, name="run"),
    path("runs/<uuid:pk>/progress/", views.progress, name="progress"),
    path("runs/<uuid:pk>/cancel/", views.cancel, name="cancel"),
    path("runs/<uuid:pk>/files/<str:name>", views.file, name="file"),
    path(
        "submissions/<uuid:pk>/<int:sample>-<slug:kind>.webp",
        submission_views.picture,
        name="submitted",
    ),
]
