"""Methods in the API: what they do, how they rank, and registering one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.datastructures import MultiValueDict
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status, viewsets
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from leaderboards import boards
from leaderboards.method_form import MethodForm
from leaderboards.models import Method
from modalities.models import Modality

from .boards import RowSerializer


class StandingSerializer(serializers.Serializer[boards.Standing]):
    modality = serializers.CharField(source="modality.key")
    board = serializers.CharField()
    origin = serializers.CharField()
    of = serializers.IntegerField(help_text="Ranked entries on this board.")
    row = RowSerializer()


class MethodSerializer(serializers.ModelSerializer[Method]):
    """A method in a list."""

    modalities = serializers.SlugRelatedField[Modality]("key", many=True, read_only=True)
    url = serializers.HyperlinkedIdentityField("api:method-detail", lookup_field="slug")
    page = serializers.HyperlinkedIdentityField("leaderboards:method", lookup_field="slug")

    class Meta:
        model = Method
        fields: tuple[str, ...] = (
            *("slug", "name", "family", "description", "citation", "year", "paper_url"),
            *("code_url", "licence", "checkpoint", "physics_name", "modalities", "url", "page"),
        )


class MethodDetailSerializer(MethodSerializer):
    """A method with its rows on every board."""

    standings = StandingSerializer(many=True, source="on_boards", read_only=True)

    class Meta(MethodSerializer.Meta):
        fields = (*MethodSerializer.Meta.fields, "standings")


class MethodFilter(filters.FilterSet):
    modality = filters.CharFilter("modalities__key", label="Key of a modality")
    q = filters.CharFilter("name", "icontains", label="Text in the name")

    class Meta:
        model = Method
        fields = ("family", "checkpoint")


class RegistrationSerializer(serializers.ModelSerializer[Method]):
    """What a method is registered with; leaderboards.method_form checks it."""

    modalities = serializers.ListField(
        child=serializers.CharField(), help_text="Keys, for example stem."
    )

    class Meta:
        model = Method
        fields = (
            *("name", "family", "description", "citation", "paper_url", "code_url"),
            *("licence", "checkpoint", "modalities"),
        )


@extend_schema(tags=["methods"])
class MethodViewSet(viewsets.ReadOnlyModelViewSet[Method]):
    """Methods: what they do, where they come from, and how they rank."""

    queryset = Method.objects.prefetch_related("modalities")
    lookup_field = "slug"
    filterset_class = MethodFilter

    def get_serializer_class(self) -> type[MethodSerializer]:
        return MethodDetailSerializer if self.action == "retrieve" else MethodSerializer

    @extend_schema(
        request=RegistrationSerializer,
        responses={
            201: MethodSerializer,
            400: OpenApiResponse(description="What is wrong, by field."),
        },
    )
    def create(self, request: Request) -> Response:
        """Register a method of your own, by the rules of the page."""
        form = MethodForm(_as_form(request.data), user=request.user)
        method = form.try_save() if form.is_valid() else None
        if method is None:
            return Response(dict(form.errors), status=status.HTTP_400_BAD_REQUEST)
        data = MethodSerializer(method, context=self.get_serializer_context()).data
        headers = {"Location": method.get_absolute_url()}
        return Response(data, status=status.HTTP_201_CREATED, headers=headers)

    def get_object(self) -> Method:
        method = super().get_object()
        method.on_boards = boards.of_method(method)
        return method


def _as_form(data: Any) -> dict[str, Any]:
    """Put JSON or a form into the words of the page's form, which knows modalities by their id."""
    if not isinstance(data, Mapping):
        raise ValidationError({"detail": "Send one object with the fields of the method."})
    keys = (
        data.getlist("modalities") if isinstance(data, MultiValueDict) else data.get("modalities")
    )
    ids = dict(Modality.objects.listed().values_list("key", "pk"))
    known = [ids.get(str(key), f"'{key}'") for key in keys] if isinstance(keys, list) else []
    plain = {name: value for name, value in data.items() if isinstance(value, str)}
    return plain | {"modalities": known}
