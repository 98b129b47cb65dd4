"""Modalities in the API: what is measured, with which unknowns, in which tiers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, viewsets

from . import dag
from .models import Modality, TierName
from .physics.spec import GROUPS, TIERS, Mismatch, Spec, tier_range


class MismatchSerializer(serializers.Serializer[Mismatch]):
    name = serializers.CharField()
    symbol = serializers.CharField()
    description = serializers.CharField()
    acts_on = serializers.CharField()
    unit = serializers.CharField()
    nominal = serializers.FloatField()
    perturbed = serializers.FloatField()


class SceneSerializer(serializers.Serializer[dict[str, Any]]):
    """A kind of scene: at home, which methods were made for, or away."""

    name = serializers.CharField()
    description = serializers.CharField()
    phantom = serializers.CharField()
    group = serializers.ChoiceField(choices=GROUPS)
    samples = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="The number of its sample in each tier that has one, counted from 0.",
    )


class RangeSerializer(serializers.Serializer[dict[str, Any]]):
    name = serializers.CharField()
    symbol = serializers.CharField()
    unit = serializers.CharField()
    min = serializers.FloatField()
    max = serializers.FloatField()


class TierSerializer(serializers.Serializer[dict[str, Any]]):
    name = serializers.ChoiceField(choices=TierName.choices)
    title = serializers.CharField()
    summary = serializers.CharField()
    get = serializers.CharField(label="What you get")
    use = serializers.CharField(label="How to use it")
    submit = serializers.CharField(label="What to submit")
    ranges = RangeSerializer(many=True, read_only=True)


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

    mismatches = MismatchSerializer(source="spec.mismatches", many=True, read_only=True)
    tiers = serializers.SerializerMethodField()
    scenes = serializers.SerializerMethodField()
    graph = serializers.SerializerMethodField()
    boards = serializers.HyperlinkedIdentityField("api:boards", lookup_field="key")

    class Meta(ModalitySerializer.Meta):
        fields = (
            *ModalitySerializer.Meta.fields,
            *("mismatches", "tiers", "scenes", "graph", "facts", "sections", "boards"),
        )

    @extend_schema_field(TierSerializer(many=True))
    def get_tiers(self, modality: Modality) -> Any:
        cards = [card | {"ranges": ranges(modality.spec, card["name"])} for card in modality.tiers]
        return TierSerializer(cards, many=True).data

    @extend_schema_field(SceneSerializer(many=True))
    def get_scenes(self, modality: Modality) -> Any:
        return SceneSerializer(kinds(modality.spec), many=True).data

    @extend_schema_field(GraphSerializer)
    def get_graph(self, modality: Modality) -> Any:
        return GraphSerializer(dag.graph(modality.spec)).data


def ranges(spec: Spec, tier: str) -> list[dict[str, Any]]:
    """Return the range of each unknown in a tier, in the order of the catalogue."""
    found = [(m, tier_range(spec, m.name, tier)) for m in spec.mismatches]
    return [
        {"name": m.name, "symbol": m.symbol, "unit": m.unit, "min": low, "max": high}
        for m, (low, high) in found
    ]


def kinds(spec: Spec) -> list[dict[str, Any]]:
    """List every kind of scene, those at home first, with its sample's number in each tier."""
    numbered = [(tier, list(spec.samples(tier))) for tier in TIERS]
    return [
        asdict(scene)
        | {
            "group": scene.group,
            "samples": {t: samples.index(scene) for t, samples in numbered if scene in samples},
        }
        for scene in (*spec.scenes, *spec.away)
    ]


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

    def get_serializer_class(self) -> type[ModalitySerializer]:
        return ModalityDetailSerializer if self.action == "retrieve" else ModalitySerializer
