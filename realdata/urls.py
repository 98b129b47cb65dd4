"""Addresses of what was computed from measured data."""

from django.urls import path

from . import views

app_name = "realdata"
urlpatterns = [
    path("real-data/", views.real_data, name="page"),
    path("real-data/<uuid:pk>/<str:name>", views.file, name="file"),
]
