"""Calibration in the API: score against spec error, and the board of specs."""

from __future__ import annotations

from dataclasses import dataclass

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_dataclasses.serializers import DataclassSerializer

from leaderboards import calibration_page, curves_page
from modalities.models import Modality


@dataclass(frozen=True)
class Curve:
    """One method and one parameter: the public tier's score where that parameter is wrong.

    errors: parts of the tier's range, 0 at the truth; the other parameters are true.
    peak: the error at which the score is highest.
    """

    parameter: str
    method: str
    errors: list[float]
    scores: list[float]
    peak: float


class CurveSerializer(DataclassSerializer[Curve]):
    class Meta:
        dataclass = Curve


@extend_schema(tags=["boards"])
class CurvesView(APIView):
    """Score against spec error on the public tier, for every method that runs here."""

    @extend_schema(operation_id="spec_curves_list", responses=CurveSerializer(many=True))
    def get(self, request: Request, key: str) -> Response:
        modality = get_object_or_404(Modality.objects.listed(), key=key)
        curves = [
            Curve(p.name, line.name, list(line.errors), list(line.scores), line.peak)
            for p in curves_page.of(modality)
            for line in p.lines
        ]
        return Response(CurveSerializer(curves, many=True).data)


@dataclass(frozen=True)
class SpecOfParameter:
    """One parameter of a spec: its error as a part of the range, and over the Cramér-Rao bound.

    covered: the share of the samples' 95 % intervals that hold the truth, null where none was
    given. abstained: the share of the samples whose interval is null.
    """

    name: str
    error: float
    error_in_bounds: float | None
    covered: float | None
    abstained: float


@dataclass(frozen=True)
class SpecRow:
    """One spec of the public tier; error: root mean square of its parameters' errors."""

    name: str
    error: float
    is_reference: bool
    parameters: list[SpecOfParameter]


class SpecRowSerializer(DataclassSerializer[SpecRow]):
    class Meta:
        dataclass = SpecRow


@extend_schema(tags=["boards"])
class CalibrationView(APIView):
    """How near each spec of the public tier comes to the truth, the nearest first."""

    @extend_schema(operation_id="calibration_list", responses=SpecRowSerializer(many=True))
    def get(self, request: Request, key: str) -> Response:
        modality = get_object_or_404(Modality.objects.listed(), key=key)
        board = calibration_page.of(modality)
        rows = [
            SpecRow(
                row.name,
                row.error,
                row.is_reference,
                [
                    SpecOfParameter(name, cell.error, cell.ratio, cell.covered, cell.abstained)
                    for name, cell in zip(board.parameters, row.cells, strict=True)
                ],
            )
            for row in board.rows
        ]
        return Response(SpecRowSerializer(rows, many=True).data)
