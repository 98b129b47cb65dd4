"""What a method needs to be registered, and what is said when something is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

from django import forms
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from modalities import prose, typed_text
from modalities.models import Modality
from modalities.physics.tables import CatalogueError

from .models import Checkpoint, Family, Method, https_rule

MOST_METHODS = 50
TOO_LONG = (
    "This has %(show_value)d characters; %(limit_value)d is the most. "
    "Leave the details to the paper."
)
HINTS = {
    "name": "As the boards show it. Every name is unique.",
    "description": "What it does, in a few sentences. Emphasis with *…* and formulas with $…$.",
    "citation": "How to cite the method.",
    "paper_url": "Begins with https://. Links are shown and never fetched by the server.",
    "code_url": "Begins with https://.",
    "licence": "Of the code: MIT, GPL-3.0, not published, …",
    "checkpoint": "The trained weights. Without them an entry stays “scored”.",
    "modalities": "Where you will submit results. More can be added later.",
}
ASKED = {
    "name": "Give the method a name.",
    "family": "Choose the kind of method.",
    "description": "Describe the method in a sentence or more.",
    "checkpoint": "Choose the state of the checkpoint.",
    "modalities": "Choose at least one modality.",
}


class ModalitiesField(forms.ModelMultipleChoiceField):
    def label_from_instance(self, obj: Modality) -> str:
        return obj.name


class MethodForm(forms.ModelForm):
    """A method as its owner describes it."""

    class Meta:
        model = Method
        fields = (
            "name",
            "family",
            "description",
            "citation",
            "paper_url",
            "code_url",
            "licence",
            "checkpoint",
            "modalities",
        )
        widgets = {
            "family": forms.RadioSelect,
            "description": forms.Textarea(attrs={"rows": 4}),
            "citation": forms.Textarea(attrs={"rows": 2}),
            "checkpoint": forms.RadioSelect,
            "modalities": forms.CheckboxSelectMultiple,
        }
        field_classes = {"modalities": ModalitiesField}
        help_texts = HINTS
        error_messages = {name: {"required": text} for name, text in ASKED.items()} | {
            name: {"required": ASKED.get(name, ""), "max_length": TOO_LONG}
            for name in ("description", "citation")
        }

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        for name, words in (("family", Family), ("checkpoint", Checkpoint)):
            cast(forms.TypedChoiceField, self.fields[name]).choices = words.choices
        modalities = cast(ModalitiesField, self.fields["modalities"])
        modalities.queryset = Modality.objects.listed()
        for name in ("paper_url", "code_url"):
            self.fields[name].validators = [https_rule]
            self.fields[name].error_messages["invalid"] = https_rule.message

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        slug = self._slug(name)
        others = Method.objects.exclude(pk=self.instance.pk)
        if not slug:
            raise forms.ValidationError(
                "The name needs a Latin letter or a digit: it becomes part of the method's address."
            )
        if slug == "register" or others.filter(slug=slug).exists():
            raise forms.ValidationError(f"A method {slug} already exists; choose another name.")
        if others.filter(name__iexact=name).exists():
            raise forms.ValidationError(f"A method “{name}” already exists; choose another name.")
        if "name" in self.changed_data and (like := _look_alike(name, others)):
            raise forms.ValidationError(
                f"This name looks like that of the method “{like}”; choose another name."
            )
        return name

    def clean_description(self) -> str:
        text: str = self.cleaned_data["description"]
        try:
            self.instance.description_html = _paragraphs(text)
        except CatalogueError as error:
            raise forms.ValidationError(str(error)) from error
        return text

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        learned = given.get("family") == Family.LEARNED
        if learned and given.get("checkpoint") == Checkpoint.NOT_NEEDED:
            self.add_error(
                "checkpoint",
                "A learned method has trained weights: say whether others can get them.",
            )
        mine = Method.objects.owned_by(self.user).count()
        if self.instance.pk is None and mine >= MOST_METHODS:
            self.add_error(None, f"You have registered {MOST_METHODS} methods; edit one of them.")
        return given

    def save(self, commit: bool = True) -> Method:
        """Write the method; the pages of its modalities, old and new, show the change."""
        method: Method = self.instance
        with transaction.atomic():
            before = set(method.modalities.values_list("pk", flat=True)) if method.pk else set()
            if method.pk is None:
                method.owner, method.slug = self.user, self._slug(method.name)
            super().save(commit)
            after = {m.pk for m in self.cleaned_data["modalities"]}
            Modality.objects.filter(pk__in=before | after).touch()
        return method

    def try_save(self) -> Method | None:
        """Write the method, or add the error that another one took its address meanwhile."""
        try:
            return self.save()
        except IntegrityError:
            slug = self.instance.slug
            if not Method.objects.exclude(pk=self.instance.pk).filter(slug=slug).exists():
                raise
            self.add_error("name", f"A method {slug} already exists; choose another name.")
            return None

    def _slug(self, name: str) -> str:
        """Give the slug of a new method; an old one keeps its address under any name."""
        return self.instance.slug or slugify(name)[:60].strip("-_").replace("_", "-")


def _look_alike(name: str, others: Any) -> str:
    """Find the name of another method that cannot be told from this one by eye."""
    look = typed_text.look(name)
    known: Iterable[str] = others.values_list("name", flat=True).iterator()
    return next((other for other in known if typed_text.look(other) == look), "")


def _paragraphs(text: str) -> str:
    parts = [part.strip() for part in re.split(r"\r?\n\s*\r?\n", text)]
    return "".join(f"<p>{prose.inline(part, 'description')}</p>" for part in parts if part)
