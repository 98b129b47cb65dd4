"""Names are compared by their look, and text holds nothing that nobody can see."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from modalities.typed_text import NameField, ProseField, look, refuse_unseen


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("SwinIR", "ЅwіnІR"),  # Cyrillic
        ("SwinIR", "swinlr"),
        ("BM3D", "ΒΜ3D"),  # Greek
        ("BM3D", "bm3d"),
        ("Wiener filter", "Wiener ﬁlter"),
        ("Wiener filter", "Wienerfilter"),
        ("admin", "adrnin"),
        ("paypal", "paypa1"),
        ("O0", "oo"),
        ("Noise2Void", "Νoise２Void"),
        ("résumé", "re\u0301sume\u0301"),
    ],
)
def test_look_alikes_have_one_look(name, like):
    assert look(name) == look(like)


@pytest.mark.parametrize(
    ("name", "other"),
    [("SIRT", "SART"), ("Method 2", "Method 3"), ("BM3D", "BM4D"), ("FBP", "WBP"), ("e", "é")],
)
def test_other_names_look_different(name, other):
    assert look(name) != look(other)


@pytest.mark.parametrize(
    "text",
    [
        "a\u202eb",  # right-to-left override
        "a\u2066b",  # isolate
        "a\u200bb",  # zero width space
        "a\u200db",  # zero width joiner
        "a\ufeffb",
        "a\u00adb",  # soft hyphen
        "a\u3164b",  # Hangul filler
        "a\u2800b",  # blank Braille
        "a\ufe0fb",
        "a\U000e0041b",  # tag
        "a\x00b",
        "a\x1bb",
        "a\ud800b",
        "a\u2028b",
        "a" + "\u0301" * 9,
    ],
)
def test_what_nobody_sees_is_refused(text):
    with pytest.raises(ValidationError):
        refuse_unseen(text)
    with pytest.raises(ValidationError):
        ProseField().clean(text + "c")


@pytest.mark.parametrize("text", ["a\u202eb", "a\u200bb", "a\x00b", "a\ud800b", "a\u3164b"])
def test_no_name_has_it_either(text):
    with pytest.raises(ValidationError):
        NameField().clean(text)


@pytest.mark.parametrize("text", ["Å⁻¹", "χ² of a fit", "Nguyễn, 山田", "two\nlines\tof it"])
def test_what_people_write_is_taken_as_it_is(text):
    refuse_unseen(text)
    assert ProseField().clean(text) == text


def test_names_are_one_line_in_their_plain_form():
    assert NameField().clean("  Ｓｗｉｎ \t ﬁx²\n") == "Swin fix2"
    assert ProseField().clean("a\r\nb\r") == "a\nb"
