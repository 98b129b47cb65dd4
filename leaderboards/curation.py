"""What curators decide about an entry: certify, revoke, disqualify, reinstate.

Each decision is one method, one conditional UPDATE and one row of history with who, when and why.
The rules of a certificate are constraints of the database; nobody else checks them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone
from simple_history.models import HistoricalRecords

from modalities.append_only import AppendOnly

from .vocabulary import Checkpoint, Trust

# Two runs of one program match when their scores do, to this.
RERUN_TOLERANCE = 0.001
sha256_rule = RegexValidator(r"^[0-9a-f]{64}$", "A SHA-256 hash has 64 hexadecimal digits.")


class CurationError(ValueError):
    """The decision is not possible; the message says why."""


@dataclass(frozen=True)
class Evidence:
    """What a certificate rests on: SHA-256 of each part, and the score of the second run."""

    inputs_sha256: str
    program_sha256: str
    outputs_sha256: str
    environment_sha256: str
    second_score: float


class History(HistoricalRecords):
    """Every version of a row, with who made it, for good.

    When a person's account goes, their number stays: history says no less than it did.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(bases=[AppendOnly], user_db_constraint=False, **options)

    def get_meta_options(self, model: Any) -> dict[str, Any]:
        return super().get_meta_options(model) | {"constraints": AppendOnly.Meta.constraints}

    def get_extra_fields(self, model: Any, fields: Any) -> dict[str, Any]:
        extra: dict[str, Any] = super().get_extra_fields(model, fields)
        extra["history_user"].remote_field.on_delete = models.DO_NOTHING
        return extra


_CERTIFICATE = (
    Q(
        certified_by__isnull=False,
        certified_at__isnull=False,
        # A comparison with NULL is neither true nor false, and a CHECK lets that pass.
        score__isnull=False,
        second_score__isnull=False,
        second_score__gte=F("score") - RERUN_TOLERANCE,
        second_score__lte=F("score") + RERUN_TOLERANCE,
    )
    & ~Q(certified_reason="")
    & ~Q(inputs_sha256="")
    & ~Q(outputs_sha256="")
    & ~Q(environment_sha256="")
)
_NO_CERTIFICATE = Q(certified_by__isnull=True, certified_at__isnull=True, certified_reason="")

CERTIFICATE_RULES = (
    models.CheckConstraint(
        condition=~Q(trust__in=(Trust.RERUN, Trust.CERTIFIED))
        | (~Q(program_sha256="") & ~Q(checkpoint=Checkpoint.UNAVAILABLE)),
        name="entry_rerun_has_program",
        violation_error_message=(
            "Without its program and its checkpoint an entry goes no further than 'scored'."
        ),
    ),
    models.CheckConstraint(
        condition=(Q(trust=Trust.CERTIFIED) & _CERTIFICATE)
        | (~Q(trust=Trust.CERTIFIED) & _NO_CERTIFICATE),
        name="entry_certificate_complete",
        violation_error_message=(
            "A certified entry says who, when and why, has the hashes of its inputs, "
            "program, outputs and environment, and a second run whose score matches."
        ),
    ),
    models.CheckConstraint(
        condition=Q(
            disqualified_by__isnull=True,
            disqualified_at__isnull=True,
            disqualified_reason="",
        )
        | (
            Q(disqualified_by__isnull=False, disqualified_at__isnull=False)
            & ~Q(disqualified_reason="")
            & ~Q(trust=Trust.CERTIFIED)
        ),
        name="entry_disqualified_with_reason",
        violation_error_message=(
            "A disqualified entry says who, when and why, and is not certified."
        ),
    ),
)

_NOT_CERTIFIED = {"certified_by": None, "certified_at": None, "certified_reason": ""}
_NOT_DISQUALIFIED = {
    "disqualified_by": None,
    "disqualified_at": None,
    "disqualified_reason": "",
}
_STANDING = Q(disqualified_at__isnull=True)


class Curated(models.Model):
    """The part of an entry that curators decide about, and the evidence that they decide on."""

    # What the entry itself brings.
    history: ClassVar[Any]
    modality: Any
    method: Any
    board: Any
    trust: Any
    submitted_by_id: int | None
    get_trust_display: Any

    # Evidence: what went in, what ran, what came out, where; and the second run.
    inputs_sha256 = models.CharField(max_length=64, blank=True, validators=[sha256_rule])
    program_sha256 = models.CharField(max_length=64, blank=True, validators=[sha256_rule])
    outputs_sha256 = models.CharField(max_length=64, blank=True, validators=[sha256_rule])
    environment_sha256 = models.CharField(max_length=64, blank=True, validators=[sha256_rule])
    second_score = models.FloatField(null=True, blank=True)

    certified_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    certified_at = models.DateTimeField(null=True, blank=True)
    certified_reason = models.TextField(blank=True)
    disqualified_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    disqualified_at = models.DateTimeField(null=True, blank=True)
    disqualified_reason = models.TextField(blank=True)

    class Meta:
        abstract = True

    @property
    def is_certified(self) -> bool:
        return self.trust == Trust.CERTIFIED

    @property
    def is_disqualified(self) -> bool:
        return self.disqualified_at is not None

    def certify(self, by: Any, reason: str, evidence: Evidence) -> None:
        """Certify a re-run entry whose second run matched."""
        self._check_is_somebody_elses(by)
        changes = asdict(evidence) | {
            "trust": Trust.CERTIFIED,
            "certified_by": by,
            "certified_at": timezone.now(),
            "certified_reason": reason.strip(),
        }
        self._decide("Certified", by, reason, _STANDING & Q(trust=Trust.RERUN), changes)

    def revoke(self, by: Any, reason: str) -> None:
        """Take a certificate back; the entry is re-run again, as before."""
        changes = {"trust": Trust.RERUN} | _NOT_CERTIFIED
        self._decide("Revoked", by, reason, Q(trust=Trust.CERTIFIED), changes)

    def disqualify(self, by: Any, reason: str) -> None:
        """Take the entry off the boards, and its certificate with it."""
        changes = {
            "trust": Case(
                When(trust=Trust.CERTIFIED, then=Value(Trust.RERUN.value)), default=F("trust")
            ),
            "disqualified_by": by,
            "disqualified_at": timezone.now(),
            "disqualified_reason": reason.strip(),
        }
        self._decide("Disqualified", by, reason, _STANDING, changes | _NOT_CERTIFIED)

    def reinstate(self, by: Any, reason: str) -> None:
        """Put a disqualified entry back on the boards."""
        self._decide("Reinstated", by, reason, ~_STANDING, dict(_NOT_DISQUALIFIED))

    def supersede(self, trust: str) -> None:
        """Let a newer result take the place of this entry's older one.

        The entry is worth no more than that result, and a certificate for the older one ends.
        """
        ladder = Trust.values
        steps = (ladder.index(self.trust), ladder.index(trust), ladder.index(Trust.RERUN))
        if (lower := ladder[min(steps)]) != self.trust:
            reason = f"A newer result, which is {Trust(trust).label.lower()}, took its place."
            changes = {"trust": lower} | _NOT_CERTIFIED
            self._decide("Superseded", None, reason, Q(trust=self.trust), changes)

    def _decide(
        self, decision: str, by: Any, reason: str, where: Q, changes: dict[str, Any]
    ) -> None:
        """Make one decision and record it; raise CurationError when it is not possible."""
        if not reason.strip():
            raise CurationError("Give a reason: it is kept with the decision.")
        with transaction.atomic():
            self._check(changes)
            if not type(self)._base_manager.filter(where, pk=self.pk).update(**changes):
                self.refresh_from_db()
                raise CurationError(f"{decision}: not possible for {self._condition()}.")
            self.refresh_from_db()
            type(self).history.bulk_history_create(
                [self],
                update=True,
                default_user=by,
                default_change_reason=f"{decision}: {reason.strip()}",
            )
            self._rank_again()

    def _check(self, changes: dict[str, Any]) -> None:
        """Explain what the database would refuse."""
        plain = {k: v for k, v in changes.items() if not hasattr(v, "resolve_expression")}
        candidate = type(self)._base_manager.get(pk=self.pk)
        for name, value in plain.items():
            setattr(candidate, name, value)
        if "trust" not in plain and candidate.trust == Trust.CERTIFIED:
            candidate.trust = Trust.RERUN
        try:
            candidate.clean_fields(exclude=self._other_fields(changes))
            candidate.validate_constraints()
        except ValidationError as error:
            raise CurationError(" ".join(error.messages)) from error

    def _other_fields(self, changes: dict[str, Any]) -> set[str]:
        return {f.name for f in self._meta.fields if f.name not in changes}

    def _check_is_somebody_elses(self, by: Any) -> None:
        if by.pk in (self.submitted_by_id, self.method.owner_id):
            raise CurationError("This entry is your own: another curator has to certify it.")

    def _condition(self) -> str:
        state = "disqualified" if self.is_disqualified else self.get_trust_display().lower()
        return f"an entry that is {state}"

    def _rank_again(self) -> None:
        """Rank the board again without, or again with, this entry; its page changes too."""
        from .record import refresh  # record writes entries, so it imports the models

        refresh(self.modality, self.board)
