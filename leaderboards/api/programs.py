"""Programs and credits in the API: send a program, follow its run, read the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.datastructures import MultiValueDict
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, Throttled
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from leaderboards import program_page, programs, tells, upload
from leaderboards.models import (
    PRICE_OF_A_HIDDEN_RUN,
    Attempt,
    CreditAccount,
    CreditChange,
    Form,
    NotEnoughCredits,
    Quota,
)
from leaderboards.submission_form import ProgramForm


class ProgramSerializer(serializers.ModelSerializer[Attempt]):
    """A run of a program as its owner may see it; times of the hidden tier are rounded down."""

    modality = serializers.CharField(source="modality.key")
    method = serializers.CharField(source="method.slug")
    form = serializers.CharField(source="program.form")
    url = serializers.CharField(source="get_absolute_url", help_text="The page of the run.")
    step = serializers.SerializerMethodField(help_text=", ".join(program_page.STEPS))
    price = serializers.IntegerField(help_text="In credits.")
    costs = serializers.SerializerMethodField(
        help_text="CPU time (s) and memory (MiB); on the hidden tier rounded up to 1, 2 or 5."
    )
    result = serializers.SerializerMethodField(
        help_text="Of a trial exact and with every scene; on the hidden tier the means, rounded, "
        "of a calibrated result, and is_calibrated alone of any other."
    )
    entry = serializers.UUIDField(source="entry_id", allow_null=True)

    class Meta:
        model = Attempt
        fields: tuple[str, ...] = (
            *("id", "url", "modality", "tier", "method", "form", "sha256", "size", "code_url"),
            *("state", "step", "price", "queued_at", "started_at", "finished_at"),
            *("error_code", "error_message", "problems", "costs", "result", "entry"),
        )

    def to_representation(self, instance: Attempt) -> Any:
        return super().to_representation(tells.shown(instance))

    def get_step(self, attempt: Attempt) -> str:
        return programs.step(attempt)

    def get_costs(self, attempt: Attempt) -> dict[str, float | None]:
        return program_page.figures(attempt)

    def get_result(self, attempt: Attempt) -> dict[str, Any]:
        return tells.to_owner(attempt.tier, attempt.result)


class ProgramDetailSerializer(ProgramSerializer):
    """One run, with the log if it is a trial."""

    log = serializers.SerializerMethodField(
        help_text="What the program printed; null on the hidden tier."
    )

    class Meta(ProgramSerializer.Meta):
        fields = (*ProgramSerializer.Meta.fields, "log")

    def get_log(self, attempt: Attempt) -> str | None:
        return programs.log_of(attempt)


class ProgramUploadSerializer(serializers.Serializer[Any]):
    """The parts of the multipart form; leaderboards.submission_form checks them."""

    modality = serializers.CharField(help_text="Its key, for example stem.")
    tier = serializers.CharField(help_text="hidden, or public for a trial run.")
    method = serializers.CharField(help_text="The slug of a method of your own.")
    form = serializers.ChoiceField(Form.choices)
    file = serializers.FileField(help_text="A Python script, or a container archive.")
    code_url = serializers.URLField(required=False)


class PaymentRequired(APIException):
    status_code = status.HTTP_402_PAYMENT_REQUIRED
    default_code = "not_enough_credits"


class ProgramTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class Blocked(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "blocked"


class ProgramViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Attempt]
):
    """Runs of your own programs."""

    permission_classes = (IsAuthenticated,)
    parser_classes = (MultiPartParser,)
    queryset = Attempt.objects.none()
    lookup_value_converter = "uuid"

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        """Limit the upload before anything reads the body: the check of a session's token does."""
        upload.limit(request, programs.largest_of_all())
        return super().initialize_request(request, *args, **kwargs)

    def get_queryset(self) -> Any:
        mine = Attempt.objects.of(self.request.user).programs()
        return mine.select_related("modality", "method", "program")

    def get_serializer_class(self) -> type[ProgramSerializer]:
        return ProgramDetailSerializer if self.action == "retrieve" else ProgramSerializer

    @extend_schema(
        request={"multipart/form-data": ProgramUploadSerializer},
        responses={
            201: ProgramSerializer,
            200: OpenApiResponse(ProgramSerializer, "This program was already sent."),
            400: OpenApiResponse(description="What is wrong, by field."),
            402: OpenApiResponse(description="Not enough credits."),
            413: OpenApiResponse(description="The program is too large."),
            429: OpenApiResponse(description="The quota is used up; says until when."),
            503: OpenApiResponse(description="No sandbox on this server; names the guard."),
        },
    )
    def create(self, request: Request) -> Response:
        """Send a program to be run."""
        files = MultiValueDict({"file": request.FILES.getlist("file")})
        too_large = getattr(request._request, "upload_was_too_large", False)
        form = ProgramForm(request.data, files, user=request.user, was_too_large=too_large)
        if not form.is_valid():
            if form.was_too_large:
                raise ProgramTooLarge(form.errors["file"][0])
            return Response(dict(form.errors), status=status.HTTP_400_BAD_REQUEST)
        if blocked := programs.why_blocked():
            raise Blocked(blocked)
        fields = dict(form.cleaned_data)
        try:
            made, is_new = programs.submit_program(request.user, fields.pop("file"), **fields)
        except NotEnoughCredits as short:
            raise PaymentRequired(str(short)) from short
        except Quota as quota:
            raise Throttled(detail=str(quota)) from quota
        data = self.get_serializer(made).data
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(data, status=code, headers={"Location": made.get_absolute_url()})


class CreditChangeSerializer(serializers.ModelSerializer[CreditChange]):
    """A line of the ledger; amount is negative where credits were spent."""

    at = serializers.SerializerMethodField(help_text="Of a refund to ten minutes.")

    class Meta:
        model = CreditChange
        fields = ("at", "kind", "amount", "subject", "reason")

    def get_at(self, row: CreditChange) -> datetime:
        return program_page.noted_at(row)


class BalanceSerializer(serializers.Serializer[Any]):
    balance = serializers.IntegerField()
    held = serializers.IntegerField(help_text="Spent on runs that have not ended.")
    price_of_a_hidden_run = serializers.IntegerField()


class CreditViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[CreditChange]):
    """Your credits: the ledger, the newest line first, and the balance."""

    serializer_class = CreditChangeSerializer
    permission_classes = (IsAuthenticated,)
    queryset = CreditChange.objects.none()

    def get_queryset(self) -> Any:
        account = CreditAccount.objects.of(self.request.user)
        return account.changes.order_by("-pk")

    @extend_schema(responses=BalanceSerializer)
    @action(detail=False, filter_backends=(), pagination_class=None)
    def balance(self, request: Request) -> Response:
        """How many credits there are, and how many are held."""
        account = CreditAccount.objects.of(request.user)
        return Response(
            {
                "balance": account.balance,
                "held": program_page.held(request.user),
                "price_of_a_hidden_run": PRICE_OF_A_HIDDEN_RUN,
            }
        )
