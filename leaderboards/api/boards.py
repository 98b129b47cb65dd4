"""Boards in the API: the rows that the pages show, as JSON, CSV, LaTeX and BibTeX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView
from rest_framework_dataclasses.serializers import DataclassSerializer

from leaderboards import as_of, boards
from leaderboards.board_rows import Row
from leaderboards.export import BibTeXRenderer, CSVRenderer, LaTeXRenderer
from leaderboards.models import Origin
from modalities.models import Modality
from modalities.pages import Pages

BOARDS = tuple(as_of.BOARDS)


class RowSerializer(DataclassSerializer[Row]):
    """One row of a board; the texts are those of the page."""

    class Meta:
        dataclass = Row
        exclude = ("anchor", "family_label", "trust_label", "checkpoint_label")


@dataclass(frozen=True)
class BoardLink:
    """One board of a modality: how many rows it has, who leads, and where it is."""

    board: str
    origin: str
    rows: int
    leader: str | None
    url: str


class BoardLinkSerializer(DataclassSerializer[BoardLink]):
    class Meta:
        dataclass = BoardLink


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
                    BoardLink(
                        board=name,
                        origin=origin.value,
                        rows=len(rows),
                        leader=leader.name if leader else None,
                        url=f"{url}?origin={origin.value}",
                    )
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
        OpenApiParameter(
            "at",
            OpenApiTypes.DATE,
            description="The board as it was at the end of this day (UTC); measured boards only.",
        ),
        OpenApiParameter("key", location="path", description="Key of the modality."),
        OpenApiParameter("board", location="path", enum=BOARDS, description="Which board."),
    ],
)
class BoardView(APIView):
    """One board, ranked: JSON page by page, or all of it with ?format=csv, tex or bib.

    Figures of the dev and hidden tiers have as many digits as those tiers tell.
    """

    renderer_classes = (JSONRenderer, CSVRenderer, LaTeXRenderer, BibTeXRenderer)
    pagination_class = Pages

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
        rows = self._rows(modality, board, origin, request.query_params.get("at"))
        if request.accepted_renderer.format != "json":
            name = f"{key}-{board}-{origin}.{request.accepted_renderer.format}"
            headers = {"Content-Disposition": f'attachment; filename="{name}"'}
            return Response({"modality": modality, "rows": rows}, headers=headers)
        paginator = self.pagination_class()
        page: Any = paginator.paginate_queryset(rows, request, self)
        return paginator.get_paginated_response(RowSerializer(page, many=True).data)

    def _rows(self, modality: Modality, board: str, origin: str, at: str | None) -> list[Row]:
        if at is None:
            return read(modality, board, origin)
        if origin != Origin.MEASURED:
            raise ValidationError({"at": "Only measured boards have a history."})
        try:
            return as_of.read(modality, board, as_of.day_of(at))
        except as_of.DayError as error:
            raise ValidationError({"at": str(error)}) from None


def rows_of(found: boards.Tables, name: str, origin: str) -> list[Row]:
    """Take one board by its name in an address."""
    if name == "standard":
        return found.standard(origin)
    return found.challenge(origin) if name == "challenge" else found.tier(name, origin)


def read(modality: Modality, name: str, origin: str) -> list[Row]:
    """Read one board by its name in an address."""
    if name == "standard":
        return boards.standard(modality, origin)
    if name == "challenge":
        return boards.challenge(modality, origin)
    return boards.tier(modality, name, origin)
