"""Addresses of methods, entries, submissions."""

from django.urls import path

from .views import entries, methods, registering, submissions

app_name = "leaderboards"
urlpatterns = [
    path("methods/", methods.methods, name="methods"),
    path("methods/register/", registering.register, name="register_method"),
    path("methods/<slug:slug>/", methods.method, name="method"),
    path("methods/<slug:slug>/edit/", registering.edit, name="edit_method"),
    path("modalities/<slug:key>/starter.py", methods.starter, name="starter"),
    path("entries/<uuid:pk>/", entries.entry, name="entry"),
    path("entries/<uuid:pk>/bundle.zip", entries.evidence, name="bundle"),
    path("submissions/", submissions.submissions, name="submissions"),
    path("submissions/new/", submissions.submit, name="submit"),
    path("submissions/<uuid:pk>/", submissions.submission, name="submission"),
    path("submissions/<uuid:pk>/progress/", submissions.progress, name="progress"),
    path("submissions/<uuid:pk>/cancel/", submissions.cancel, name="cancel"),
    path("submissions/<uuid:pk>/choose/", submissions.choose, name="choose"),
]
