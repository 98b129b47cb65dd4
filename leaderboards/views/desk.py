"""The curator's desk: the queue, one entry with its evidence, second runs, decisions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from leaderboards import desk, desk_page, desk_queue
from leaderboards.curators import curators_only
from leaderboards.desk_queue import Filter
from leaderboards.models import DecisionError, Entry, Word
from modalities.typed_text import ProseField

HTMX_STOP_POLLING = 286
PAGE = 25


class DecisionForm(forms.Form):
    """What a curator decides, and why; which decisions are possible is the entry's to say."""

    word = forms.CharField(
        label="Decision", max_length=20, error_messages={"required": "Choose one of the decisions."}
    )
    reason = ProseField(
        widget=forms.Textarea(attrs={"rows": 4}),
        max_length=2000,
        help_text="It is public in the history.",
        error_messages={"required": "Give a reason; it is kept with the decision."},
    )


@curators_only
@require_safe
def curate(request: HttpRequest) -> HttpResponse:
    """List the entries that wait for a curator, those with flags first."""
    wanted = Filter.of(request.GET)
    page = Paginator(desk_queue.lines(wanted), PAGE).get_page(request.GET.get("page"))
    context = {
        "nav": "",
        "page": page,
        "chips": desk_queue.chips(wanted),
        "query": f"{wanted.query()[1:]}&" if wanted.query() else "",
        "is_narrowed": wanted != Filter(),
        "keys": (("j", "next"), ("k", "previous"), ("Enter", "opens")),
    }
    return render(request, "leaderboards/curate.html", context)


def _entry(pk: UUID) -> Entry:
    related = ("modality", "method__owner", "decision__by")
    return get_object_or_404(Entry.objects.select_related(*related), pk=pk)


@curators_only
@require_safe
def entry(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show the evidence of one entry, and what can be decided about it."""
    return _desk(request, _entry(pk), DecisionForm())


def _desk(request: HttpRequest, found: Entry, form: DecisionForm) -> HttpResponse:
    page = desk_page.of(found, request.user, Filter.of(request.GET))
    context = {"nav": "", "form": form, **page}
    status = 400 if form.is_bound else 200
    return render(request, "leaderboards/desk.html", context, status=status)


@curators_only
@require_POST
def decide(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Make one decision about an entry."""
    found, form = _entry(pk), DecisionForm(request.POST)
    if not form.is_valid():
        return _desk(request, found, form)
    word, reason = form.cleaned_data["word"], form.cleaned_data["reason"]
    try:
        desk.decide(found, word, request.user, reason)
    except DecisionError as error:
        form.add_error(None, str(error))
        return _desk(request, _entry(pk), form)
    messages.success(request, f"{Word(word).label}: {found.name}. The decision is recorded.")
    return _back(request, found)


@curators_only
@require_POST
def rerun(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Run again what has no second run that matches."""
    found = _entry(pk)
    if queued := desk.rerun(found, request.user):
        messages.success(request, f"Queued for a second run: {', '.join(queued)}.")
    else:
        messages.info(request, "Every result has a matching second run, or one is on its way.")
    return _back(request, found)


def _back(request: HttpRequest, found: Entry) -> HttpResponse:
    url = reverse("leaderboards:desk", args=[found.pk])
    return redirect(url + Filter.of(request.GET).query())


@curators_only
@require_safe
def progress(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give the fragment that the desk asks for every two seconds, until all second runs ended.

    Status 286 tells htmx to ask no more, and the page is loaded again with the result.
    """
    found = _entry(pk)
    runs: list[Any] = desk_page.progress(desk.pairs(found))
    context = {"entry": found, "progress": runs}
    status = 200 if runs else HTMX_STOP_POLLING
    response = render(request, "leaderboards/_desk_progress.html", context, status=status)
    if not runs:
        response["HX-Refresh"] = "true"
    return response
