"""Addresses of methods, entries, submissions, the curator's desk and the history."""

from django.urls import path
from django.views.decorators.http import require_safe

from .views import (
    curating_programs,
    desk,
    entries,
    history,
    methods,
    programs,
    registering,
    submissions,
)

app_name = "leaderboards"
urlpatterns = [
    path(".well-known/pwm-bundle-keys.json", entries.keys, name="bundle_keys"),
    path("methods/", methods.methods, name="methods"),
    path("methods/register/", registering.register, name="register_method"),
    path("methods/<slug:slug>/", methods.method, name="method"),
    path("methods/<slug:slug>/edit/", registering.edit, name="edit_method"),
    path("modalities/<slug:key>/starter.py", methods.starter, name="starter"),
    path("modalities/<slug:key>/boards/<slug:board>/", history.board_as_of, name="board_as_of"),
    path("entries/<uuid:pk>/", entries.entry, name="entry"),
    path("entries/<uuid:pk>/bundle.zip", entries.evidence, name="bundle"),
    path("submissions/", submissions.submissions, name="submissions"),
    path("submissions/new/", submissions.submit, name="submit"),
    path("submissions/program/", programs.submit, name="submit_program"),
    path("submissions/<uuid:pk>/", submissions.submission, name="submission"),
    path("submissions/<uuid:pk>/progress/", submissions.progress, name="progress"),
    path("submissions/<uuid:pk>/cancel/", submissions.cancel, name="cancel"),
    path("submissions/<uuid:pk>/choose/", submissions.choose, name="choose"),
    path("curate/", desk.curate, name="curate"),
    path("curate/credits/", curating_programs.give_credits, name="give_credits"),
    path("curate/programs/", curating_programs.runs, name="curate_programs"),
    path("curate/programs/<uuid:pk>/", curating_programs.run, name="curate_program"),
    path("curate/<uuid:pk>/", desk.entry, name="desk"),
    path("curate/<uuid:pk>/decide/", desk.decide, name="decide"),
    path("curate/<uuid:pk>/rerun/", desk.rerun, name="rerun"),
    path("curate/<uuid:pk>/progress/", desk.progress, name="desk_progress"),
    path("history/", history.history, name="history"),
    path("history/feed.atom", require_safe(history.HistoryFeed()), name="history_feed"),
]
