"""Submitted files in the API: send one, list one's own, follow them. Others' answer 404."""

from __future__ import annotations

from typing import Any

from django.utils.datastructures import MultiValueDict
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.exceptions import APIException, Throttled
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from leaderboards import tells, upload
from leaderboards.models import UPLOAD_TIERS, Attempt, Quota
from leaderboards.submission_form import SubmissionForm


class SubmissionSerializer(serializers.ModelSerializer[Attempt]):
    """A submission as its owner may see it; ``result`` is empty until it is scored."""

    modality = serializers.CharField(source="modality.key")
    method = serializers.CharField(source="method.slug")
    result = serializers.SerializerMethodField(
        help_text="On the public tier exact and with every scene; on dev the means, rounded, of a "
        "calibrated result, and is_calibrated alone of any other."
    )
    entry = serializers.UUIDField(source="entry_id", allow_null=True)
    url = serializers.CharField(source="get_absolute_url", help_text="The submission's page.")

    class Meta:
        model = Attempt
        fields = (
            "id",
            "url",
            "modality",
            "tier",
            "method",
            "sha256",
            "code_url",
            "state",
            "phase",
            "percent",
            "queued_at",
            "started_at",
            "finished_at",
            "error_code",
            "error_message",
            "problems",
            "result",
            "entry",
        )

    def to_representation(self, instance: Attempt) -> Any:
        return super().to_representation(tells.shown(instance))

    def get_result(self, attempt: Attempt) -> dict[str, Any]:
        return tells.to_owner(attempt.tier, attempt.result)


class UploadSerializer(serializers.Serializer[Any]):
    """The parts of the multipart form; leaderboards.submission_form checks them."""

    modality = serializers.CharField(help_text="Its key, for example stem.")
    tier = serializers.ChoiceField(UPLOAD_TIERS)
    method = serializers.CharField(help_text="The slug of a method of your own.")
    file = serializers.FileField(help_text="HDF5.")
    code_url = serializers.URLField(required=False)


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "This file is larger than any submission may be; it was not stored."


class SubmissionViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Attempt]
):
    """Your own submitted files; programs have addresses of their own."""

    serializer_class = SubmissionSerializer
    permission_classes = (IsAuthenticated,)
    parser_classes = (MultiPartParser,)
    queryset = Attempt.objects.none()
    lookup_value_converter = "uuid"

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        """Limit the upload before anything reads the body: the check of a session's token does."""
        upload.limit(request)
        return super().initialize_request(request, *args, **kwargs)

    def get_queryset(self) -> Any:
        return Attempt.objects.of(self.request.user).files().select_related("modality", "method")

    @extend_schema(
        request={"multipart/form-data": UploadSerializer},
        responses={
            201: SubmissionSerializer,
            200: OpenApiResponse(SubmissionSerializer, "This file was already sent."),
            400: OpenApiResponse(description="What is wrong, by field."),
            413: OpenApiResponse(description="The file is too large."),
            429: OpenApiResponse(description="The quota is used up; says until when."),
        },
    )
    def create(self, request: Request) -> Response:
        """Send a file to be scored."""
        files = MultiValueDict({"file": request.FILES.getlist("file")})
        if getattr(request._request, "upload_was_too_large", False):
            raise TooLarge
        form = SubmissionForm(request.data, files, user=request.user)
        if not form.is_valid():
            return Response(dict(form.errors), status=status.HTTP_400_BAD_REQUEST)
        fields = dict(form.cleaned_data)
        try:
            made, is_new = upload.send(request.user, fields.pop("file"), **fields)
        except Quota as quota:
            raise Throttled(detail=str(quota)) from quota
        data = self.get_serializer(made).data
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(data, status=code, headers={"Location": made.get_absolute_url()})
