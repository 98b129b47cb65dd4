"""Addresses of methods and entries."""

from django.urls import path

from . import views

app_name = "leaderboards"
urlpatterns = [
    path("methods/", views.methods, name="methods"),
    path("methods/<slug:slug>/", views.method, name="method"),
    path("entries/<uuid:pk>/", views.entry, name="entry"),
]
