"""Addresses of methods and entries."""

from django.urls import path

from . import method_views, submission_views, views

app_name = "leaderboards"
urlpatterns = [
    path("methods/", views.methods, name="methods"),
    path("methods/register/", method_views.register, name="register_method"),
    path("methods/<slug:slug>/", views.method, name="method"),
    path("methods/<slug:slug>/edit/", method_views.edit, name="edit_method"),
    path("modalities/<slug:key>/starter.py", views.starter, name="starter"),
    path("entries/<uuid:pk>/", views.entry, name="entry"),
    path("entries/<uuid:pk>/bundle.zip", views.evidence, name="bundle"),
    path("submissions/", submission_views.submissions, name="submissions"),
    path("submissions/new/", submission_views.submit, name="submit"),
    path("submissions/<uuid:pk>/", submission_views.submission, name="submission"),
    path("submissions/<uuid:pk>/progress/", submission_views.progress, name="progress"),
    path("submissions/<uuid:pk>/cancel/", submission_views.cancel, name="cancel"),
]
