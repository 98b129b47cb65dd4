"""Methods: what they are called, where they come from, who registered them."""

from __future__ import annotations

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse

from modalities.models import Modality

from .fields import History, HttpsField, NameField, ProseField, link, slug_rule
from .words import Checkpoint, Family

LONGEST = 2000  # characters of a description or a citation


class MethodQuerySet(models.QuerySet["Method"]):
    def for_modality(self, modality: Modality) -> Self:
        return self.filter(modalities=modality)

    def implemented(self) -> Self:
        """Those that the site can run itself."""
        return self.exclude(physics_name="")

    def owned_by(self, user: Any) -> Self:
        return self.filter(owner=user)


class Method(models.Model):
    """A way to reconstruct, or to calibrate and reconstruct; its page is ``/methods/<slug>/``.

    physics_name: its name in ``physics.METHODS``, where the site has an implementation.
    """

    slug = models.CharField(max_length=60, unique=True, validators=[slug_rule])
    name = NameField(max_length=80)
    family = models.CharField("kind", max_length=20, choices=Family.choices)
    description = ProseField(max_length=LONGEST)
    description_html = models.TextField(editable=False, blank=True)
    citation = ProseField(max_length=LONGEST, blank=True)
    year = models.PositiveSmallIntegerField(null=True, blank=True)
    paper_url = HttpsField("paper")
    code_url = HttpsField("code")
    licence = NameField(max_length=60, blank=True)
    checkpoint = models.CharField(max_length=20, choices=Checkpoint.choices)
    physics_name = models.CharField(max_length=60, blank=True, editable=False)
    is_ours = models.BooleanField(
        default=False, editable=False, help_text="Described by the physics; no source reports it."
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="methods"
    )
    modalities = models.ManyToManyField(Modality, related_name="methods")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = MethodQuerySet.as_manager()
    history = History()

    class Meta:
        ordering = ("name", "slug")
        constraints = (
            models.UniqueConstraint(
                fields=["physics_name"],
                condition=~Q(physics_name=""),
                name="method_implemented_once",
                violation_error_message="Another method has that implementation.",
            ),
            models.CheckConstraint(
                condition=Q(family__in=Family.values),
                name="method_family_known",
                violation_error_message="There is no such kind of method.",
            ),
            models.CheckConstraint(
                condition=Q(checkpoint__in=Checkpoint.values),
                name="method_checkpoint_known",
                violation_error_message="There is no such state of a checkpoint.",
            ),
            models.CheckConstraint(
                condition=(Q(paper_url="") | Q(paper_url__startswith="https://"))
                & (Q(code_url="") | Q(code_url__startswith="https://")),
                name="method_links_https",
                violation_error_message="Links begin with https://.",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("leaderboards:method", args=[self.slug])

    @property
    def paper_link(self) -> str:
        return link(self.paper_url)

    @property
    def code_link(self) -> str:
        return link(self.code_url)
