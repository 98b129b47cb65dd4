"""What a submission needs to be taken, and what is said when something is missing."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.template.defaultfilters import filesizeformat

from modalities.models import Modality

from . import programs
from .models import UPLOAD_TIERS, Method, https_rule
from .upload import largest


class ModalityField(forms.ModelChoiceField):
    def label_from_instance(self, obj: Modality) -> str:
        return obj.short_name


class SubmissionForm(forms.Form):
    """A file of reconstructions; the page and the API check it by the same rules."""

    modality = ModalityField(
        Modality.objects.none(),
        to_field_name="key",
        empty_label="Choose a modality",
        error_messages={
            "required": "Choose the modality that the file is for.",
            "invalid_choice": "There is no such modality.",
        },
    )
    tier = forms.ChoiceField(
        choices=[(tier.value, tier.label) for tier in UPLOAD_TIERS],
        widget=forms.RadioSelect,
        initial=UPLOAD_TIERS[0].value,
        error_messages={
            "required": "Choose the tier whose measurements you reconstructed.",
            "invalid_choice": "Submit files to the public or the dev tier.",
        },
    )
    method = forms.ModelChoiceField(
        Method.objects.none(),
        to_field_name="slug",
        empty_label="Choose a method",
        error_messages={
            "required": "Choose the method that made the reconstructions.",
            "invalid_choice": "You have not registered this method; choose one of yours.",
        },
    )
    file = forms.FileField(
        label="Submission file",
        error_messages={
            "required": "Choose the HDF5 file with your reconstructions.",
            "empty": "This file is empty; choose the HDF5 file that your program wrote.",
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
        modality, method, file = (given.get(name) for name in ("modality", "method", "file"))
        if self.data.get("tier") == "hidden":
            self.errors["tier"] = self.error_class([programs.IN_SHORT])
        if modality and method and not method.modalities.contains(modality):
            self.add_error(
                "method",
                f"{method} is not registered for {modality.short_name}; "
                "choose another one, or add the modality to it.",
            )
        if self.was_too_large:
            self.errors.pop("file", None)
            self.add_error(
                "file", "This file is larger than any submission may be; it was not stored."
            )
        elif modality and file and file.size > (most := largest(modality)):
            self.add_error(
                "file",
                f"This file has {filesizeformat(file.size)}; one for {modality.short_name} "
                f"has at most {filesizeformat(most)}. Compressed single precision is enough.",
            )
        return given
