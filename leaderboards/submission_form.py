"""What a submission needs to be taken, and what is said when something is missing."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.template.defaultfilters import filesizeformat

from modalities.models import Modality, TierName

from . import programs
from .models import UPLOAD_TIERS, Form, Method, https_rule
from .upload import largest

NO_CONTAINERS = "This server takes no container archives; send a Python script."
NOT_A_SCRIPT = (
    "This file is no text in UTF-8, so it is no Python script. If it is a container archive, "
    "choose that above."
)


class ModalityField(forms.ModelChoiceField):
    def label_from_instance(self, obj: Modality) -> str:
        return obj.short_name


class SentForm(forms.Form):
    """What everything that is sent needs: where it goes, in whose name, and the code if any."""

    modality = ModalityField(
        Modality.objects.none(),
        to_field_name="key",
        empty_label="Choose a modality",
        error_messages={
            "required": "Choose the modality that this is for.",
            "invalid_choice": "There is no such modality.",
        },
    )
    method = forms.ModelChoiceField(
        Method.objects.none(),
        to_field_name="slug",
        empty_label="Choose a method",
        error_messages={
            "required": "Choose the method that the result belongs to.",
            "invalid_choice": "You have not registered this method; choose one of yours.",
        },
    )
    code_url = forms.URLField(
        label="Link to the code",
        required=False,
        max_length=200,
        assume_scheme="https",
        error_messages={"invalid": "Give a link that begins with https://, or none."},
    )

    def __init__(self, *args: Any, user: Any, was_too_large: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.was_too_large = was_too_large
        self.fields["code_url"].validators = [https_rule]
        modality = cast(ModalityField, self.fields["modality"])
        modality.queryset = Modality.objects.listed()
        method = cast(forms.ModelChoiceField, self.fields["method"])
        method.queryset = Method.objects.owned_by(user)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        modality, method = given.get("modality"), given.get("method")
        if modality and method and not method.modalities.contains(modality):
            self.add_error(
                "method",
                f"{method} is not registered for {modality.short_name}; "
                "choose another one, or add the modality to it.",
            )
        return given

    def refuse_as_too_large(self, message: str) -> None:
        self.was_too_large = True
        self.errors.pop("file", None)
        self.add_error("file", message)


class SubmissionForm(SentForm):
    """A file of reconstructions; the page and the API check it by the same rules."""

    field_order = ("modality", "tier", "method", "file", "code_url")

    tier = forms.ChoiceField(
        choices=[(tier.value, tier.label) for tier in UPLOAD_TIERS],
        widget=forms.RadioSelect,
        initial=UPLOAD_TIERS[0].value,
        error_messages={
            "required": "Choose the tier whose measurements you reconstructed.",
            "invalid_choice": "Submit files to the public or the dev tier.",
        },
    )
    file = forms.FileField(
        label="Submission file",
        error_messages={
            "required": "Choose the HDF5 file with your reconstructions.",
            "empty": "This file is empty; choose the HDF5 file that your program wrote.",
        },
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        modality, file = given.get("modality"), given.get("file")
        if self.data.get("tier") == TierName.HIDDEN:
            self.errors["tier"] = self.error_class([programs.IN_SHORT])
        if self.was_too_large:
            self.refuse_as_too_large(
                "This file is larger than any submission may be; it was not stored."
            )
        elif modality and file and file.size > (most := largest(modality)):
            self.add_error(
                "file",
                f"This file has {filesizeformat(file.size)}; one for {modality.short_name} "
                f"has at most {filesizeformat(most)}. Compressed single precision is enough.",
            )
        return given


class ProgramForm(SentForm):
    """A program to run; the page and the API check it by the same rules."""

    field_order = ("modality", "tier", "method", "form", "file", "code_url")
    tier = forms.ChoiceField(
        label="Which run",
        choices=[
            (TierName.PUBLIC.value, "Trial run on public data"),
            (TierName.HIDDEN.value, "Hidden tier"),
        ],
        widget=forms.RadioSelect,
        initial=TierName.PUBLIC.value,
        error_messages={
            "required": "Choose a trial run on public data or a run on the hidden tier.",
            "invalid_choice": "Programs run on the hidden tier, and for a trial on the public one.",
        },
    )
    form = forms.ChoiceField(
        label="What you send",
        choices=Form.choices,
        widget=forms.RadioSelect,
        initial=Form.SCRIPT.value,
        error_messages={
            "required": "Say whether this is a Python script or a container archive.",
            "invalid_choice": "A program is a Python script or a container archive.",
        },
    )
    file = forms.FileField(
        label="Program",
        error_messages={
            "required": "Choose the file with your program.",
            "empty": "This file is empty; choose the file with your program.",
        },
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        form, file = given.get("form"), given.get("file")
        if self.was_too_large:
            self.refuse_as_too_large(
                f"This file is larger than any program may be, "
                f"{filesizeformat(programs.largest_of_all())}; it was not stored."
            )
        elif form and not programs.largest(form):
            self.add_error("form", NO_CONTAINERS)
        elif form and file and file.size > (most := programs.largest(form)):
            self.refuse_as_too_large(
                f"This file has {filesizeformat(file.size)}; a {Form(form).label.lower()} has at "
                f"most {filesizeformat(most)}. It was not stored."
            )
        elif form == Form.SCRIPT and file and not _is_text(file):
            self.add_error("file", NOT_A_SCRIPT)
        return given


def _is_text(file: Any) -> bool:
    """Tell whether a small file can be a script; nothing of it is compiled or run here."""
    try:
        text = file.read().decode("utf-8")
    except UnicodeDecodeError:
        return False
    finally:
        file.seek(0)
    return "\0" not in text
