"""The map of the API, version 1."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import DefaultRouter

from gallery.api import GalleryView, RunViewSet
from leaderboards.api.boards import BoardsView, BoardView
from leaderboards.api.calibration import CalibrationView, CurvesView
from leaderboards.api.keys import BundleKeysView
from leaderboards.api.methods import MethodViewSet
from leaderboards.api.programs import CreditViewSet, ProgramViewSet
from leaderboards.api.submissions import SubmissionViewSet
from modalities.api import ModalityViewSet

router = DefaultRouter()
router.include_format_suffixes = False
router.register("modalities", ModalityViewSet, basename="modality")
router.register("methods", MethodViewSet, basename="method")
router.register("runs", RunViewSet, basename="run")
router.register("submissions", SubmissionViewSet, basename="submission")
router.register("programs", ProgramViewSet, basename="program")
router.register("credits", CreditViewSet, basename="credit")

app_name = "api"
urlpatterns = [
    *router.urls,
    path("bundle-keys/", BundleKeysView.as_view(), name="bundle_keys"),
    path("modalities/<slug:key>/boards/", BoardsView.as_view(), name="boards"),
    path("modalities/<slug:key>/boards/<slug:board>/", BoardView.as_view(), name="board"),
    path("modalities/<slug:key>/spec-curves/", CurvesView.as_view(), name="spec-curves"),
    path("modalities/<slug:key>/calibration/", CalibrationView.as_view(), name="calibration"),
    path("modalities/<slug:key>/gallery/", GalleryView.as_view(), name="gallery"),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
]
