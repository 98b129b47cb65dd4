"""The past for everybody: what curators decided, and every board as it was on a day."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib.syndication.views import Feed
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.views.decorators.http import require_safe

from leaderboards import as_of, boards_page, history_page
from leaderboards.history_page import Line
from modalities.models import Modality

PAGE, NEWEST = 50, 50


@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """List all decisions of curators, the newest first; those about ``?modality=``."""
    key = request.GET.get("modality", "")[:40]
    page = Paginator(history_page.decisions(key), PAGE).get_page(request.GET.get("page"))
    context = {
        "nav": "",
        "page": page,
        "lines": history_page.lines(page),
        "key": key,
        "modalities": Modality.objects.listed().values_list("key", "short_name"),
        "query": f"modality={key}&" if key else "",
    }
    return render(request, "leaderboards/history.html", context)


class HistoryFeed(Feed):
    """The same decisions for feed readers."""

    feed_type = Atom1Feed
    title = "PWM: decisions of curators"
    subtitle = "Who certified, returned or disqualified which entry, and why."
    author_name = "PWM"

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> str:
        key = request.GET.get("modality", "")
        if key:
            get_object_or_404(Modality.objects.listed(), key=key)
        return key

    def link(self, key: str) -> str:
        return reverse("leaderboards:history") + (f"?modality={key}" if key else "")

    def items(self, key: str) -> list[Line]:
        return history_page.lines(history_page.decisions(key)[:NEWEST])

    def item_title(self, item: Line) -> str:
        return item.text

    def item_description(self, item: Line) -> str:
        return item.reason

    def item_link(self, item: Line) -> str:
        """Lead to the entry; the fragment makes the address the decision's own."""
        return f"{item.url}#decision-{item.pk}"

    def item_pubdate(self, item: Line) -> datetime:
        return item.at

    def item_updateddate(self, item: Line) -> datetime:
        return item.at

    def item_author_name(self, item: Line) -> str:
        return item.who


@require_safe
def board_as_of(request: HttpRequest, key: str, board: str) -> HttpResponse:
    """Show one measured board at the end of the day ``?at=``, or now."""
    modality = get_object_or_404(Modality.objects.listed(), key=key)
    if board not in as_of.BOARDS:
        raise Http404(f"There is no board “{board}”; there are {', '.join(as_of.BOARDS)}.")
    asked = request.GET.get("at", "")
    today = datetime.now(UTC).date()
    context: dict[str, Any] = {
        "nav": "modalities",
        "modality": modality,
        "board": board,
        "title": as_of.BOARDS[board],
        "boards": as_of.BOARDS.items(),
        "at": today.isoformat(),
        "today": today.isoformat(),
        "changes": as_of.changes(modality, board),
    }
    try:
        day = as_of.day_of(asked) if asked else today
    except as_of.DayError as error:
        return render(request, "leaderboards/as_of.html", context | {"problem": error}, status=400)
    context |= {
        "day": day,
        "at": day.isoformat(),
        "panel": boards_page.of_day(modality, board, day),
    }
    return render(request, "leaderboards/as_of.html", context)
