"""Numbers as the pages print them: a true minus sign, a dash for what is missing, spaced units."""

from __future__ import annotations

from django.template.defaultfilters import filesizeformat

MISSING = "–"


def fixed(value: float | None, digits: int) -> str:
    """Write ``value`` with so many decimals; never as a negative zero."""
    return MISSING if value is None else _signed(f"{value:z.{digits}f}")


def shortest(value: float, digits: int = 6) -> str:
    """Write ``value`` with at most so many significant digits and no trailing zeros."""
    return _signed(f"{value:.{digits}g}")


def interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """Write ``0.512 to 0.634``; nothing where an end is missing."""
    return "" if low is None or high is None else f"{fixed(low, digits)} to {fixed(high, digits)}"


def percent(part: float, digits: int = 1) -> str:
    """Write a part of one, such as 0.123, as ``12.3 %``."""
    return f"{fixed(100 * part, digits)} %"


def decibels(value: float, digits: int = 1) -> str:
    return f"{fixed(value, digits)} dB"


def seconds(value: float | None, digits: int = 1) -> str:
    return MISSING if value is None else f"{fixed(value, digits)} s"


def megabytes(value: float | None) -> str:
    return MISSING if value is None else f"{fixed(value, 0)} MB"


def file_size(count: int) -> str:
    """Write a number of bytes in its largest unit: ``1.2 MB``."""
    return filesizeformat(count).replace("\xa0", " ")


def _signed(text: str) -> str:
    return text.replace("-", "−")
