"""Naps: jobs that are paid for, compute with NumPy, write a file and leave one result."""

from __future__ import annotations

from typing import Any

from django.db import models, transaction
from django.db.models import F, Q

from modalities.jobs import Job, JobEvent, JobQuerySet, State, invariants

CREDITS = 10_000  # in a full purse


class Purse(models.Model):
    """Credits; spent by one conditional UPDATE and a line in the ledger, never read and saved."""

    credits = models.IntegerField()

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(credits__gte=0), name="purse_not_empty"),)

    def __str__(self) -> str:
        return f"{self.credits} credits"


class Line(models.Model):
    """One movement of credits."""

    purse = models.ForeignKey(Purse, models.PROTECT, related_name="lines")
    amount = models.IntegerField()
    nap = models.UUIDField()

    def __str__(self) -> str:
        return f"{self.amount:+d}"


class NapQuerySet(JobQuerySet):
    def buy(self, purse: Purse, **fields: Any) -> Nap:
        """Queue a nap for one credit."""
        with transaction.atomic():
            if not Purse.objects.filter(pk=purse.pk, credits__gte=1).update(
                credits=F("credits") - 1
            ):
                raise ValueError("No credit is left.")
            nap: Nap = self.enqueue(purse=purse, **fields)
            Line.objects.create(purse=purse, amount=-1, nap=nap.pk)
        return nap


class Nap(Job):
    """A job that works for ``seconds`` of CPU and clock."""

    task_name = "tests.naps.tasks.sleep"
    default_queue = "gallery"
    files_folder = "naps"

    purse = models.ForeignKey(Purse, models.PROTECT)
    seconds = models.FloatField(default=1.0)

    objects = NapQuerySet.as_manager()

    def after_move(self, event: str) -> None:
        """Give the credit back when the nap ends without a result."""
        if event in ("refused", "failed", "lost", "cancelled"):
            Purse.objects.filter(pk=self.purse_id).update(credits=F("credits") + 1)
            Line.objects.create(purse_id=self.purse_id, amount=1, nap=self.pk)

    def result_count(self) -> int:
        return self.dreams.count()

    def expected_result_count(self) -> int:
        return 1

    def kept_files(self) -> set[str]:
        return set(self.dreams.values_list("file", flat=True))


class NapEvent(JobEvent):
    job = models.ForeignKey(Nap, models.PROTECT, related_name="events")


class Dream(models.Model):
    """The result. No constraint keeps it single: the machine of jobs must."""

    nap = models.ForeignKey(Nap, models.PROTECT, related_name="dreams")
    token = models.PositiveIntegerField()
    value = models.FloatField()
    file = models.FileField(max_length=200)

    def __str__(self) -> str:
        return f"{self.value:g}"


def credits_add_up() -> list[str]:
    """A purse holds what its ledger says; a nap without a result costs nothing."""
    wrong = []
    for purse in Purse.objects.all():
        spent = -sum(purse.lines.values_list("amount", flat=True))
        kept = Nap.objects.filter(purse=purse).exclude(state__in=(State.FAILED, State.CANCELLED))
        if spent != kept.count():
            wrong.append(f"{spent} credits are spent on {kept.count()} naps.")
        if purse.credits + spent != CREDITS:
            wrong.append(f"{purse.credits} credits are left and {spent} spent, of {CREDITS}.")
    return wrong


invariants.CHECKS.append(credits_add_up)
