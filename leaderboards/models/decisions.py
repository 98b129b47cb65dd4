"""What curators decide about an entry, and the certificates that rest on two runs.

Each decision is one method, one conditional UPDATE and one row that says who, when and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from modalities.append_only import AppendOnly, AppendOnlyQuerySet

from .fields import Sha256Field
from .words import Checkpoint, Trust

if TYPE_CHECKING:
    from .attempt import Attempt

# Two runs agree when their scores do, to this: 0.1 dB of PSNR, ten times what platforms differ by.
TOLERANCE = 0.001


class DecisionError(ValueError):
    """The decision is not possible; the message says why."""


class Word(models.TextChoices):
    """What was decided; the site itself decides only SUPERSEDED."""

    APPROVED = "approved", "Approved"
    RETURNED = "returned", "Returned to its owner"
    CERTIFIED = "certified", "Certified"
    REVOKED = "revoked", "Certificate revoked"
    DISQUALIFIED = "disqualified", "Disqualified"
    REINSTATED = "reinstated", "Reinstated"
    SUPERSEDED = "superseded", "Superseded by a newer result"


class DecisionQuerySet(AppendOnlyQuerySet):
    def newest_first(self) -> Any:
        return self.order_by("-pk")


class Decision(AppendOnly):
    """One decision about one entry. ``by`` is nobody where the site decided."""

    entry = models.ForeignKey("leaderboards.Entry", models.PROTECT, related_name="decisions")
    word = models.CharField(max_length=12, choices=Word.choices)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
    )
    reason = models.TextField()
    at = models.DateTimeField(db_default=Now(), editable=False)

    objects = DecisionQuerySet.as_manager()

    class Meta(AppendOnly.Meta):
        abstract = False
        ordering = ("-pk",)
        constraints = (
            *AppendOnly.Meta.constraints,
            models.CheckConstraint(
                condition=Q(word__in=Word.values) & ~Q(reason=""),
                name="decision_has_reason",
                violation_error_message="A decision says what and why.",
            ),
            models.CheckConstraint(
                condition=Q(by__isnull=False) | Q(word=Word.SUPERSEDED),
                name="decision_has_curator",
                violation_error_message="A decision says who made it.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_word_display()}: {self.reason}"


class Certificate(AppendOnly):
    """Two runs of one result that agree. Every tier of a certified entry has one.

    The scores and hashes are those of the two attempts, which never change; they are here so that
    the database can hold them against each other.
    """

    decision = models.ForeignKey(Decision, models.PROTECT, related_name="certificates")
    attempt = models.ForeignKey("leaderboards.Attempt", models.PROTECT, related_name="certificates")
    second = models.ForeignKey("leaderboards.Attempt", models.PROTECT, related_name="+")
    score = models.FloatField()
    second_score = models.FloatField()
    outputs_sha256 = Sha256Field(blank=False)
    second_outputs_sha256 = Sha256Field(blank=False)
    outputs_must_match = models.BooleanField(
        help_text="A deterministic method in one environment gives the same bytes twice."
    )

    objects = AppendOnlyQuerySet.as_manager()

    class Meta(AppendOnly.Meta):
        abstract = False
        ordering = ("pk",)
        constraints = (
            *AppendOnly.Meta.constraints,
            models.UniqueConstraint(
                fields=["decision", "attempt"],
                name="certificate_once",
                violation_error_message="This attempt is in that certificate.",
            ),
            models.CheckConstraint(
                condition=~Q(attempt=F("second")),
                name="certificate_two_runs",
                violation_error_message="A certificate takes a second run.",
            ),
            models.CheckConstraint(
                condition=Q(
                    second_score__gte=F("score") - TOLERANCE,
                    second_score__lte=F("score") + TOLERANCE,
                ),
                name="certificate_scores_agree",
                violation_error_message=(
                    f"The scores of the two runs differ by more than {TOLERANCE}."
                ),
            ),
            models.CheckConstraint(
                condition=Q(outputs_must_match=False)
                | Q(second_outputs_sha256=F("outputs_sha256")),
                name="certificate_outputs_agree",
                violation_error_message="The outputs of the two runs are not the same bytes.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.attempt_id} and {self.second_id}"


class Decided(models.Model):
    """The part of an entry that curators decide about.

    decision: the one in force, which says why the entry is certified or off the boards.
    reviewed_at: when a curator last looked at it; newer results put it back into the queue.
    """

    # What the entry itself brings.
    history: ClassVar[Any]
    method: Any
    modality: Any
    board: Any
    tier_scores: Any
    attempts: Any
    decisions: Any
    get_trust_display: Any

    trust = models.CharField(max_length=10, choices=Trust.choices)
    is_listed = models.BooleanField(default=True, help_text="Shown on its board.")
    decision = models.ForeignKey(
        Decision, models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )
    reviewed_at = models.DateTimeField(null=True, blank=True, editable=False)

    RULES: ClassVar[tuple[models.CheckConstraint, ...]] = (
        models.CheckConstraint(
            condition=Q(decision__isnull=False) | (Q(is_listed=True) & ~Q(trust=Trust.CERTIFIED)),
            name="entry_decided",
            violation_error_message=(
                "An entry is certified or taken off its board by a decision, with who, when, why."
            ),
        ),
        models.CheckConstraint(
            condition=Q(is_listed=True) | ~Q(trust=Trust.CERTIFIED),
            name="entry_certified_is_listed",
            violation_error_message="An entry that is off its board is not certified.",
        ),
    )

    class Meta:
        abstract = True

    @property
    def is_certified(self) -> bool:
        return bool(self.trust == Trust.CERTIFIED)

    def certify(self, by: Any, reason: str, *seconds: Attempt) -> None:
        """Certify the entry on second attempts, one for each tier that it has a score on.

        Raise DecisionError where one is missing, or differs from the first.
        """
        self._refuse_own(by)
        if self.method.checkpoint == Checkpoint.UNAVAILABLE:
            raise DecisionError(
                "Without its checkpoint an entry goes no further than 'scored': "
                "nobody else can run the method."
            )
        with transaction.atomic():
            self._lock()
            pairs = self._pairs(seconds)
            ready = Q(is_listed=True) & ~Q(trust__in=(Trust.REPORTED, Trust.CERTIFIED))
            decision = self._decide(Word.CERTIFIED, by, reason, ready, trust=Trust.CERTIFIED)
            for first, second in pairs:
                _certificate(decision, first, second)

    def revoke(self, by: Any, reason: str) -> None:
        """Take a certificate back."""
        self._decide(
            Word.REVOKED, by, reason, Q(trust=Trust.CERTIFIED), trust=self._trust_of_attempts()
        )

    def approve(self, by: Any, reason: str) -> None:
        """Note that a curator looked at the entry and found nothing wrong.

        A certificate says more, and would lose the decision that it hangs on.
        """
        self._refuse_own(by)
        self._decide(Word.APPROVED, by, reason, Q(is_listed=True) & ~Q(trust=Trust.CERTIFIED))

    def send_back(self, by: Any, reason: str) -> None:
        """Take the entry off its board until its owner sends a newer result."""
        self._take_off(Word.RETURNED, by, reason)

    def disqualify(self, by: Any, reason: str) -> None:
        """Take the entry off its board, and its certificate with it."""
        self._take_off(Word.DISQUALIFIED, by, reason)

    def reinstate(self, by: Any, reason: str) -> None:
        """Put the entry back on its board."""
        self._decide(Word.REINSTATED, by, reason, Q(is_listed=False), is_listed=True)

    def follow(self, attempts: Sequence[Attempt]) -> None:
        """Follow the attempts that count now: trust is the least of theirs, certificates end.

        ``leaderboards.counting`` calls it when another attempt counts. A result that was sent back
        returns to its board with the newer one.
        """
        trust = least_trust(attempts)
        if self.trust == Trust.CERTIFIED:
            changes: dict[str, Any] = {"trust": trust}
        elif not self.is_listed and self.decision and self.decision.word == Word.RETURNED:
            changes = {"trust": trust, "is_listed": True}
        else:
            type(self)._base_manager.filter(pk=self.pk).update(trust=trust, reviewed_at=None)
            self.refresh_from_db()
            return
        self._decide(Word.SUPERSEDED, None, "A newer result took its place.", Q(), **changes)

    def certificates(self) -> list[Certificate]:
        """Give the certificates in force, one for each tier."""
        if not self.is_certified or self.decision is None:
            return []
        return list(self.decision.certificates.select_related("attempt", "second"))

    def _take_off(self, word: Word, by: Any, reason: str) -> None:
        trust = self._trust_of_attempts()
        self._decide(word, by, reason, Q(is_listed=True), is_listed=False, trust=trust)

    def _decide(self, word: Word, by: Any, reason: str, where: Q, **changes: Any) -> Decision:
        """Make one decision and record it; raise DecisionError when it is not possible."""
        reason = reason.strip()
        if not reason:
            raise DecisionError("Give a reason; it is kept with the decision.")
        row = type(self)._base_manager.filter(pk=self.pk)
        with transaction.atomic():
            decision: Decision = self.decisions.create(word=word, by=by, reason=reason)
            seen = None if word == Word.SUPERSEDED else Now()
            changed = row.filter(where).update(decision=decision, reviewed_at=seen, **changes)
            self.refresh_from_db()
            if not changed:
                raise DecisionError(f"{word.label}: not possible for {self._condition()}.")
            self.record_version(str(decision), by)
            self._rank_again()
        return decision

    def record_version(self, why: str, by: Any = None) -> None:
        """Write the entry as it is now into its history."""
        type(self).history.bulk_history_create(
            [self], update=True, default_user=by, default_change_reason=why
        )

    def _lock(self) -> None:
        """Wait for others who change this entry, so that later reads stay valid."""
        type(self)._base_manager.select_for_update().get(pk=self.pk)

    def _pairs(self, seconds: Sequence[Attempt]) -> list[tuple[Attempt, Attempt]]:
        """Give each attempt that counts its second one."""
        scores = list(self.tier_scores.select_related("attempt"))
        firsts = {score.attempt_id: score.attempt for score in scores}
        by_first = {second.repeats_id: second for second in seconds}
        if not firsts or set(firsts) != set(by_first) or None in firsts:
            missing = [s.get_tier_display() for s in scores if s.attempt_id not in by_first]
            raise DecisionError(
                "A certificate takes a second run of each result that counts: "
                + (f"none was given for {', '.join(missing)}." if missing else "others were given.")
            )
        return [(firsts[pk], second) for pk, second in by_first.items()]

    def _trust_of_attempts(self) -> Trust:
        if self.trust == Trust.REPORTED:
            return Trust.REPORTED
        scores = self.tier_scores.select_related("attempt")
        return least_trust([score.attempt for score in scores if score.attempt])

    def belongs_to(self, person: Any) -> bool:
        """Tell whether ``person`` owns the method or sent in a result of it."""
        return bool(self.method.owner_id == person.pk or self.attempts.of(person).exists())

    def _refuse_own(self, by: Any) -> None:
        if self.belongs_to(by):
            raise DecisionError("This entry is your own: another curator has to decide about it.")

    def _condition(self) -> str:
        state = "listed" if self.is_listed else "off its board"
        return f"an entry that is {state} and {self.get_trust_display().lower()}"

    def _rank_again(self) -> None:
        """Rank the board again without, or again with, this entry; its page changes too."""
        from .entry import Ranking

        Ranking.ask(self.modality, self.board)
        self.modality.touch()


def least_trust(attempts: Sequence[Attempt]) -> Trust:
    """Give the trust of a result that rests on ``attempts``: that of the weakest."""
    ladder = [Trust.SCORED, Trust.RERUN]
    return min((attempt.trust for attempt in attempts), key=ladder.index, default=Trust.SCORED)


def outputs_must_match(first: Attempt, second: Attempt) -> bool:
    """Tell whether two runs must give the same bytes, or only the same score."""
    return first.environment_sha256 == second.environment_sha256 and first.is_deterministic


def disagreement(first: Attempt, second: Attempt) -> str:
    """Say why a certificate on two runs that succeeded would be refused; empty where it is not."""
    if first.score is None or second.score is None:
        return "One of the runs has no score."
    if abs(second.score - first.score) > TOLERANCE:
        return f"The scores of the two runs differ by more than {TOLERANCE}."
    if outputs_must_match(first, second) and first.outputs_sha256 != second.outputs_sha256:
        return "The outputs of the two runs are not the same bytes."
    return ""


def _certificate(decision: Decision, first: Attempt, second: Attempt) -> None:
    """Write one certificate; raise DecisionError with the rule that refuses it."""
    if second.pk == first.pk or first.score is None or second.score is None:
        raise DecisionError("The second run has not succeeded; wait for it, or run it again.")
    certificate = Certificate(
        decision=decision,
        attempt=first,
        second=second,
        score=first.score,
        second_score=second.score,
        outputs_sha256=first.outputs_sha256,
        second_outputs_sha256=second.outputs_sha256,
        outputs_must_match=outputs_must_match(first, second),
    )
    try:
        certificate.full_clean()
    except ValidationError as error:
        raise DecisionError(" ".join(error.messages)) from error
    certificate.save()
