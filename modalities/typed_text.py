"""Text that people type: normalised, without what nobody can see, and compared by its look."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

# Letters and marks that draw nothing, though Unicode counts them as visible ones.
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
# Control, format (bidi, zero width), surrogate, private, unassigned, line and paragraph separators.
UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
MOST_MARKS = 4
UNSEEN_TEXT = (
    "The text has a character that cannot be seen (%(name)s, number %(place)d). "
    "Type it again instead of pasting it."
)
# In many fonts nothing tells these apart.
ALIKE = str.maketrans("iI1|", "llll")


def one_line(text: str) -> str:
    """Write a name as one line with single spaces, in Unicode's NFKC: ﬁ is fi, ２ is 2."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def prose(text: str) -> str:
    """Write a text in NFC, which keeps x² apart from x2, with plain line ends."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def refuse_unseen(text: str) -> None:
    """Raise ValidationError for characters that show nothing, turn text round or pile up."""
    for place, letter in enumerate(text, start=1):
        hidden = unicodedata.category(letter) in UNSEEN and letter not in "\n\t"
        if hidden or letter in BLANK or "\ufe00" <= letter <= "\ufe0f":
            name = unicodedata.name(letter, f"U+{ord(letter):04X}")
            raise ValidationError(UNSEEN_TEXT, params={"name": name, "place": place})
    marks = "".join("m" if unicodedata.combining(letter) else "." for letter in text)
    if re.search("m" * (MOST_MARKS + 1), marks):
        raise ValidationError(f"A letter has more than {MOST_MARKS} marks above or below it.")


def look(name: str) -> str:
    """Give the skeleton of a name: names of one look have the same (Unicode TR 39, section 4).

    Beyond TR 39 case does not count, nor do the strokes of i, l, 1 and |.
    """
    skeleton = _skeleton(one_line(name)).translate(ALIKE).casefold()
    return _skeleton(skeleton).translate(ALIKE).replace(" ", "")


def _skeleton(text: str) -> str:
    plain = unicodedata.normalize("NFD", text).translate(_prototypes())
    return unicodedata.normalize("NFD", plain)


@cache
def _prototypes() -> dict[int, str]:
    """Read Unicode's table of confusable letters: each with the one that stands for its class.

    The package lists the neighbours of every letter; the one that stands for a class has all of the
    class as neighbours, the others have that one alone.
    """
    from confusable_homoglyphs.confusables import confusables_data

    looks = {
        letter: [like["c"].strip("\u200e") for like in likes]
        for letter, likes in confusables_data.items()
    }
    table = {}
    for letter, likes in looks.items():
        if len(letter) == 1 and len(likes) == 1:
            (like,) = likes
            stands = len(looks.get(like, ())) > 1 or (len(like), like) > (1, letter)
            table[ord(letter)] = like if stands else letter
    return table


class NameField(forms.CharField):
    """One line of text that names something."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.validators = [*self.validators, refuse_unseen]

    def to_python(self, value: Any) -> str:
        return one_line(str(super().to_python(value) or ""))


class ProseField(forms.CharField):
    """A text of several lines."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.Textarea)
        super().__init__(*args, **kwargs)
        self.validators = [*self.validators, refuse_unseen]

    def to_python(self, value: Any) -> str:
        return prose(str(super().to_python(value) or ""))
