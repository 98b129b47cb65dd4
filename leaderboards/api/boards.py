"""Methods and boards in the API: the rows that the pages show, as JSON, CSV, LaTeX and BibTeX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils.datastructures import MultiValueDict
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status, viewsets
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from modalities.models import Modality

from . import boards
from .export import BibTeXRenderer, CSVRenderer, LaTeXRenderer
from .method_form import MethodForm
from .models import Method, Origin
from .vocabulary import Checkpoint, Family, Reference, Trust

BOARDS = ("challenge", "standard", "public", "dev", "hidden")


class CellSerializer(serializers.Serializer[boards.Cell]):
    tier = serializers.CharField()
    score = serializers.FloatField(allow_null=True)
    score_low = serializers.FloatField(allow_null=True)
    score_high = serializers.FloatField(allow_null=True)
    psnr = serializers.FloatField(allow_null=True, help_text="In dB.")
    ssim = serializers.FloatField(allow_null=True)
    consistency = serializers.FloatField(allow_null=True)
    cpu_seconds = serializers.FloatField(allow_null=True)
    peak_memory_mb = serializers.FloatField(allow_null=True)
    score_text = serializers.CharField()
    interval_text = serializers.CharField()
    psnr_text = serializers.CharField()
    ssim_text = serializers.CharField()
    consistency_text = serializers.CharField()


class RowSerializer(serializers.Serializer[boards.Row]):
    """One row of a board; the texts are those of the page."""

    entry = serializers.UUIDField()
    rank = serializers.IntegerField(allow_null=True)
    rank_text = serializers.CharField()
    rank_low = serializers.IntegerField(allow_null=True)
    rank_high = serializers.IntegerField(allow_null=True)
    rank_interval_text = serializers.CharField()
    medal = serializers.CharField(help_text="gold, silver, bronze or nothing.")
    name = serializers.CharField()
    method = serializers.CharField()
    method_slug = serializers.CharField()
    family = serializers.ChoiceField(Family.choices)
    score = serializers.FloatField(allow_null=True)
    score_low = serializers.FloatField(allow_null=True)
    score_high = serializers.FloatField(allow_null=True)
    score_text = serializers.CharField()
    interval_text = serializers.CharField()
    cells = CellSerializer(many=True)
    origin = serializers.ChoiceField(Origin.choices)
    trust = serializers.ChoiceField(Trust.choices)
    source = serializers.CharField()
    source_label = serializers.CharField(help_text="The source's own label; it certifies nothing.")
    checkpoint = serializers.ChoiceField(Checkpoint.choices)
    reference = serializers.ChoiceField(Reference.choices, allow_blank=True)
    is_complete = serializers.BooleanField()
    is_above_oracle = serializers.BooleanField()
    url = serializers.CharField(help_text="The entry's page.")
    method_url = serializers.CharField(help_text="The method's page.")


class BoardLinkSerializer(serializers.Serializer[dict[str, Any]]):
    board = serializers.CharField()
    origin = serializers.ChoiceField(Origin.choices)
    rows = serializers.IntegerField()
    leader = serializers.CharField(allow_null=True)
    url = serializers.CharField()


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
        if not form.is_valid():
            return Response(dict(form.errors), status=status.HTTP_400_BAD_REQUEST)
        method = form.save()
        data = MethodSerializer(method, context=self.get_serializer_context()).data
        headers = {"Location": method.get_absolute_url()}
        return Response(data, status=status.HTTP_201_CREATED, headers=headers)

    def get_object(self) -> Method:
        method = super().get_object()
        method.on_boards = boards.of_method(method)
        return method


@extend_schema(tags=["boards"])
class BoardsView(APIView):
    """The boards of one modality: how many rows each has, and who leads."""

    @extend_schema(operation_id="boards_list", responses=BoardLinkSerializer(many=True))
    def get(self, request: Request, key: str) -> Response:
        modality = get_object_or_404(Modality.objects.listed(), key=key)
        found = boards.load(modality)
        links = []
        for name in BOARDS:
            for origin in (Origin.MEASURED, Origin.REPORTED):
                rows = rows_of(found, name, origin)
                leader = boards.best(rows)
                url = reverse("api:board", args=[key, name], request=request)
                links.append(
                    {
                        "board": name,
                        "origin": origin.value,
                        "rows": len(rows),
                        "leader": leader.name if leader else None,
                        "url": f"{url}?origin={origin.value}",
                    }
                )
        return Response(BoardLinkSerializer(links, many=True).data)


@extend_schema(
    tags=["boards"],
    parameters=[
        OpenApiParameter(
            "origin",
            enum=Origin.values,
            default=Origin.MEASURED.value,
            description="Measured here, or reported by the source; the two are never mixed.",
        ),
        OpenApiParameter("key", location="path", description="Key of the modality."),
        OpenApiParameter("board", location="path", enum=BOARDS, description="Which board."),
    ],
)
class BoardView(APIView):
    """One board, ranked: JSON page by page, or all of it with ?format=csv, tex or bib."""

    renderer_classes = (JSONRenderer, CSVRenderer, LaTeXRenderer, BibTeXRenderer)
    pagination_class = LimitOffsetPagination

    @extend_schema(
        operation_id="boards_retrieve",
        responses={
            (200, "application/json"): RowSerializer(many=True),
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/x-tex"): OpenApiTypes.STR,
            (200, "application/x-bibtex"): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request, key: str, board: str) -> Response:
        origin = request.query_params.get("origin", Origin.MEASURED)
        if origin not in Origin.values:
            raise ValidationError({"origin": f"Expected {' or '.join(Origin.values)}."})
        if board not in BOARDS:
            raise NotFound(f"There is no board '{board}'; there are {', '.join(BOARDS)}.")
        modality = get_object_or_404(Modality.objects.listed(), key=key)
        rows = read(modality, board, origin)
        if request.accepted_renderer.format != "json":
            name = f"{key}-{board}-{origin}.{request.accepted_renderer.format}"
            headers = {"Content-Disposition": f'attachment; filename="{name}"'}
            return Response({"modality": modality, "rows": rows}, headers=headers)
        paginator = self.pagination_class()
        page = paginator.paginate_queryset(rows, request, self)
        return paginator.get_paginated_response(RowSerializer(page, many=True).data)


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


def rows_of(found: boards.Boards, name: str, origin: str) -> list[boards.Row]:
    """Take one board by its name in an address."""
    if name == "standard":
        return found.standard(origin)
    return found.challenge(origin) if name == "challenge" else found.tier(name, origin)


def read(modality: Modality, name: str, origin: str) -> list[boards.Row]:
    """Read one board by its name in an address."""
    if name == "standard":
        return boards.standard(modality, origin)
    if name == "challenge":
        return boards.challenge(modality, origin)
    return boards.tier(modality, name, origin)
