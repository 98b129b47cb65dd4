"""The gallery in the API: the same rows as on the pages, with numbers as numbers."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from modalities.models import Modality

from . import gallery_page, run_line
from .models import Run, RunEvent, SceneResult


class ResultSerializer(serializers.ModelSerializer[SceneResult]):
    """One scene in one scenario; ``spec_error`` is a share of the public tier's range."""

    files = serializers.SerializerMethodField()

    class Meta:
        model = SceneResult
        fields = (
            *("scene", "group", "scenario", "psnr", "ssim", "consistency", "cpu_seconds"),
            *("spec_error", "files"),
        )

    def get_files(self, result: SceneResult) -> dict[str, str]:
        address = self.context["request"].build_absolute_uri
        kinds = ("truth", "measurement", "reconstruction", "difference", "arrays")
        names = {kind: getattr(result, kind).name for kind in kinds}
        return {kind: address(run_line.file_url(result.run_id, n)) for kind, n in names.items()}


class EventSerializer(serializers.ModelSerializer[RunEvent]):
    by = serializers.CharField(read_only=True)

    class Meta:
        model = RunEvent
        fields = ("at", "event", "token", "by", "detail")


class RunSerializer(serializers.ModelSerializer[Run]):
    """A run in a list."""

    url = serializers.HyperlinkedIdentityField("api:run-detail")
    page = serializers.HyperlinkedIdentityField("gallery:run")
    modality = serializers.SlugRelatedField(slug_field="key", read_only=True)

    class Meta:
        model = Run
        fields: tuple[str, ...] = (
            *("id", "modality", "method", "seed", "state", "phase", "percent", "tries"),
            *("error_code", "error_message", "queued_at", "started_at", "finished_at"),
            *("spec_hash", "physics_version", "cpu_seconds", "violations"),
            *("calibrated", "calibrated_away", "url", "page"),
        )


class RunDetailSerializer(RunSerializer):
    """A run with its spec, results and history."""

    results = ResultSerializer(many=True, read_only=True)
    events = EventSerializer(many=True, read_only=True)

    class Meta(RunSerializer.Meta):
        fields = (*RunSerializer.Meta.fields, "spec", "results", "events")


class RunViewSet(viewsets.ReadOnlyModelViewSet[Run]):
    """Gallery runs, the newest first; filter by modality and state."""

    queryset = Run.objects.select_related("modality").newest_first()
    filterset_fields = {"modality__key": ["exact"], "state": ["exact"], "method": ["exact"]}

    def get_serializer_class(self) -> type[RunSerializer]:
        return RunDetailSerializer if self.action == "retrieve" else RunSerializer

    def get_queryset(self) -> QuerySet[Run]:
        if self.action != "retrieve":
            return super().get_queryset().defer("spec")
        return super().get_queryset().prefetch_related("results", "events")


class ScoreSerializer(serializers.Serializer[gallery_page.Score]):
    psnr = serializers.FloatField()
    ssim = serializers.FloatField()


class PictureSerializer(serializers.Serializer[gallery_page.Cell]):
    scenario = serializers.CharField()
    meaning = serializers.CharField()
    score = ScoreSerializer()
    source = ScoreSerializer(allow_null=True)
    truth = serializers.CharField()
    measurement = serializers.CharField()
    reconstruction = serializers.CharField()
    difference = serializers.CharField()


class SceneRowSerializer(serializers.Serializer[gallery_page.SceneRow]):
    index = serializers.IntegerField()
    name = serializers.CharField()
    description = serializers.CharField()
    arrays = serializers.CharField()
    cells = PictureSerializer(many=True)


class MeanSerializer(serializers.Serializer[gallery_page.Mean]):
    scenario = serializers.CharField()
    meaning = serializers.CharField()
    score = ScoreSerializer()
    source = ScoreSerializer(allow_null=True)


class RunLineSerializer(serializers.Serializer[run_line.RunLine]):
    id = serializers.UUIDField()
    url = serializers.CharField()
    state = serializers.CharField()
    method = serializers.CharField()
    is_current = serializers.BooleanField()
    error_message = serializers.CharField()


class TabSerializer(serializers.Serializer[gallery_page.Tab]):
    """The scenes of one group, with the means of each scenario over them."""

    scenes = SceneRowSerializer(many=True)
    means = MeanSerializer(many=True)
    mismatch_cost = serializers.CharField()
    rho = serializers.CharField()


class GallerySerializer(serializers.Serializer[gallery_page.Gallery]):
    """The gallery of a modality; ``run`` is null while nothing was computed.

    Scenes and means are those at home; ``away`` has those of other kinds, if there are any.
    """

    key = serializers.CharField()
    run = RunLineSerializer(allow_null=True)
    newest = RunLineSerializer(allow_null=True)
    scenes = SceneRowSerializer(many=True)
    means = MeanSerializer(many=True)
    mismatch_cost = serializers.CharField()
    rho = serializers.CharField()
    away = TabSerializer(allow_null=True)
    violations = serializers.ListField(child=serializers.CharField())
    source_method = serializers.CharField()
    source_violations = serializers.ListField(child=serializers.CharField())


class GalleryView(APIView):
    """The gallery of one modality, as its page shows it."""

    @extend_schema(responses=GallerySerializer, operation_id="gallery_retrieve")
    def get(self, request: Request, key: str) -> Response:
        modality = Modality.objects.listed().filter(key=key).first()
        if modality is None:
            raise Http404
        data: dict[str, Any] = dict(GallerySerializer(gallery_page.of_modality(modality)).data)
        return Response(data)
