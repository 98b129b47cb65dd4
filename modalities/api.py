"""Modalities in the API: what is measured, with which unknowns, in which tiers."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, viewsets

from . import dag
from .models import MismatchParameter, Modality, Scene, Tier


class MismatchSerializer(serializers.ModelSerializer[MismatchParameter]):
    class Meta:
        model = MismatchParameter
        fields = (*("name", "symbol", "description", "acts_on", "unit", "nominal", "perturbed"),)


class SceneSerializer(serializers.ModelSerializer[Scene]):
    class Meta:
        model = Scene
        fields = ("index", "name", "description", "phantom")


class RangeSerializer(serializers.Serializer[dict[str, Any]]):
    name = serializers.CharField()
    symbol = serializers.CharField()
    unit = serializers.CharField()
    min = serializers.FloatField()
    max = serializers.FloatField()


class TierSerializer(serializers.ModelSerializer[Tier]):
    ranges = RangeSerializer(many=True, read_only=True)

    class Meta:
        model = Tier
        fields = ("name", "title", "summary", "get", "use", "submit", "ranges")


class NodeSerializer(serializers.Serializer[dag.Node]):
    id = serializers.CharField()
    kind = serializers.CharField()
    label = serializers.CharField()
    primitive = serializers.CharField()
    model = serializers.CharField()
    description = serializers.CharField()
    mismatches = serializers.ListField(child=serializers.CharField())


class GraphSerializer(serializers.Serializer[dag.Graph]):
    nodes = NodeSerializer(many=True)
    edges = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))


class ModalitySerializer(serializers.ModelSerializer[Modality]):
    """A modality in a list."""

    url = serializers.HyperlinkedIdentityField("api:modality-detail", lookup_field="key")
    page = serializers.HyperlinkedIdentityField("modalities:page", lookup_field="key")

    class Meta:
        model = Modality
        fields: tuple[str, ...] = (
            *("key", "name", "short_name", "aliases", "category", "task"),
            *("revision", "version", "url", "page"),
        )


class ModalityDetailSerializer(ModalitySerializer):
    """A modality with all that its page says."""

    mismatches = MismatchSerializer(many=True, read_only=True)
    tiers = TierSerializer(many=True, read_only=True)
    scenes = SceneSerializer(many=True, read_only=True)
    graph = serializers.SerializerMethodField()
    boards = serializers.HyperlinkedIdentityField("api:boards", lookup_field="key")

    class Meta(ModalitySerializer.Meta):
        fields = (
            *ModalitySerializer.Meta.fields,
            *("mismatches", "tiers", "scenes", "graph", "facts", "sections", "boards"),
        )

    @extend_schema_field(GraphSerializer)
    def get_graph(self, modality: Modality) -> Any:
        return GraphSerializer(dag.graph(modality.spec)).data


class ModalityFilter(filters.FilterSet):
    q = filters.CharFilter(method="search", label="Text in the key, name, aliases or task")

    class Meta:
        model = Modality
        fields = ("category",)

    def search(self, found: QuerySet[Modality], name: str, text: str) -> QuerySet[Modality]:
        fields = ("key", "name", "short_name", "aliases", "task")
        where = Q()
        for field in fields:
            where |= Q(**{f"{field}__icontains": text})
        return found.filter(where)


@extend_schema(tags=["modalities"])
class ModalityViewSet(viewsets.ReadOnlyModelViewSet[Modality]):
    """The imaging modalities of the benchmark, and everything that their pages say."""

    queryset = Modality.objects.listed()
    lookup_field = "key"
    filterset_class = ModalityFilter

    def get_queryset(self) -> QuerySet[Modality]:
        found = super().get_queryset()
        if self.action == "retrieve":
            # A tier finds its ranges through its modality, which is this very row.
            found = found.prefetch_related("mismatches", "tiers", "scenes")
        return found

    def get_serializer_class(self) -> type[ModalitySerializer]:
        return ModalityDetailSerializer if self.action == "retrieve" else ModalitySerializer
