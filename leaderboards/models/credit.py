"""Credits: what a run on the hidden tier costs. A balance, and a ledger that explains it.

Spending is one conditional UPDATE and one row of the ledger, in one transaction. Code that reads
the balance first and writes it later would let two runs spend the same credits.
"""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce, Now

from modalities.append_only import AppendOnly, AppendOnlyQuerySet

PRICE_OF_A_HIDDEN_RUN = 10


class NotEnoughCredits(Exception):
    """The balance does not cover the price; the message says what is there and what is needed."""


class Kind(models.TextChoices):
    GRANT = "grant", "Granted"
    SPEND = "spend", "Spent"
    REFUND = "refund", "Given back"


# The grant that everybody begins with: by its subject there is one for an account; older ones have
# none and are known by their words.
START, START_REASON = "start", "Credits to start with."


def may_start(user: Any) -> bool:
    """Tell whether a person gets credits to start with.

    Where the site sends mail, once an address is confirmed: otherwise accounts would be a purse.
    """
    confirmed = EmailAddress.objects.filter(user=user, verified=True)
    return not settings.SENDS_MAIL or confirmed.exists()


class CreditAccountQuerySet(models.QuerySet["CreditAccount"]):
    def of(self, user: Any) -> CreditAccount:
        """Give the person's account, with the credits that everybody starts with once they may."""
        account, _ = self.get_or_create(user=user)
        if settings.PWM_CREDITS_AT_START and not account.has_started() and may_start(user):
            with transaction.atomic():
                self.select_for_update().get(pk=account.pk)  # who comes second sees the grant
                if not account.has_started():
                    account.start()
        return account

    def refund(self, subject: str, reason: str) -> bool:
        """Give back what anybody paid for ``subject``; say whether there was anything."""
        paid = CreditChange.objects.filter(subject=subject, kind=Kind.SPEND).first()
        return paid is not None and paid.account.refund(subject, reason)

    def unbalanced(self) -> models.QuerySet[Any]:
        """Accounts whose balance is not the sum of their ledger; there must never be one."""
        total = Coalesce(Sum("changes__amount"), 0)
        return self.annotate(total=total).exclude(total=F("balance"))


class CreditAccount(models.Model):
    """How many credits a person has. Only the methods here move it.

    It outlives the person's own account, because its ledger is history.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="credit_account"
    )
    balance = models.PositiveIntegerField(default=0, editable=False)

    objects = CreditAccountQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(balance__gte=0),
                name="credits_never_negative",
                violation_error_message="A balance cannot be negative.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.user or 'a deleted user'}: {self.balance} credits"

    def has_started(self) -> bool:
        """Tell whether the credits to start with were given."""
        grants = self.changes.filter(kind=Kind.GRANT)
        return grants.filter(Q(subject=START) | Q(reason=START_REASON, by=None)).exists()

    def start(self) -> None:
        """Give the credits that everybody starts with. Raise IntegrityError the second time."""
        self._add(settings.PWM_CREDITS_AT_START, Kind.GRANT, START, START_REASON)

    def grant(self, amount: int, reason: str, by: Any = None) -> None:
        """Give credits; ``by`` is the curator, or None for the site itself."""
        self._add(amount, Kind.GRANT, "", reason, by)

    def spend(self, amount: int, subject: str, reason: str) -> None:
        """Pay for ``subject``, once: raise NotEnoughCredits, or IntegrityError the second time.

        subject: names what is paid for, such as ``submission:<uuid>``.
        """
        with transaction.atomic():
            row = CreditAccount.objects.filter(pk=self.pk, balance__gte=amount)
            if not row.update(balance=F("balance") - amount):
                self.refresh_from_db()
                raise NotEnoughCredits(
                    f"This costs {amount} credits and you have {self.balance}. "
                    "Ask a curator for more."
                )
            self._write(-amount, Kind.SPEND, subject, reason)

    def refund(self, subject: str, reason: str) -> bool:
        """Give back what was paid for ``subject``; say whether anything was left to give back."""
        with transaction.atomic():
            # Held to the end, so that two refunds of one payment wait for each other.
            CreditAccount.objects.select_for_update().get(pk=self.pk)
            mine = self.changes.filter(subject=subject)
            paid = mine.filter(kind=Kind.SPEND).first()
            if paid is None or mine.filter(kind=Kind.REFUND).exists():
                return False
            self._add(-paid.amount, Kind.REFUND, subject, reason)
        return True

    def _add(self, amount: int, kind: Kind, subject: str, reason: str, by: Any = None) -> None:
        with transaction.atomic():
            CreditAccount.objects.filter(pk=self.pk).update(balance=F("balance") + amount)
            self._write(amount, kind, subject, reason, by)

    def _write(self, amount: int, kind: Kind, subject: str, reason: str, by: Any = None) -> None:
        self.changes.create(amount=amount, kind=kind, subject=subject, reason=reason, by=by)
        self.refresh_from_db()


class CreditChange(AppendOnly):
    """One line of the ledger; amount is negative when credits were spent."""

    account = models.ForeignKey(CreditAccount, models.PROTECT, related_name="changes")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    amount = models.IntegerField()
    subject = models.CharField(max_length=80, blank=True)
    reason = models.TextField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
    )
    at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta(AppendOnly.Meta):
        abstract = False
        ordering = ("-pk",)
        constraints = (
            *AppendOnly.Meta.constraints,
            models.UniqueConstraint(
                fields=["account", "kind", "subject"],
                condition=~Q(subject=""),
                name="credits_once_per_subject",
                violation_error_message="This was paid for, or given back, already.",
            ),
            models.CheckConstraint(
                condition=Q(kind=Kind.SPEND, amount__lt=0)
                | Q(kind__in=(Kind.GRANT, Kind.REFUND), amount__gt=0),
                name="credits_sign_fits",
                violation_error_message="Spending lowers the balance, all else raises it.",
            ),
            models.CheckConstraint(
                condition=Q(kind=Kind.GRANT) | ~Q(subject=""),
                name="credits_say_what_for",
                violation_error_message="Say what was paid for.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.amount:+d} {self.reason}"
