"""Submit a file; follow what one sent, stop it, see what was found. Private: others get 404."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from leaderboards import attempt_page, counting, program_page, tells, upload
from leaderboards.models import (
    PRICE_OF_A_HIDDEN_RUN,
    Attempt,
    Kind,
    Method,
    Quota,
    missing_ends_it,
)
from leaderboards.submission_form import SubmissionForm
from modalities.jobs.forecast import forecast
from modalities.models import Modality, TierName

HTMX_STOP_POLLING = 286
PAGE = 200
RELATED = ("modality", "method", "entry", "program")


@csrf_exempt  # the check comes in _submit: it reads the body, whose size is limited first
@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def submit(request: HttpRequest) -> HttpResponse:
    """Show the form, or take a submission in."""
    upload.limit(request)
    return _submit(request)


@csrf_protect
def _submit(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        asked = {name: request.GET.get(name) for name in ("modality", "tier", "method")}
        wanted = {name: value for name, value in asked.items() if value}
        if wanted.get("tier") == TierName.HIDDEN:
            return redirect(f"{reverse('leaderboards:submit_program')}?{urlencode(wanted)}")
        return _form(request, SubmissionForm(user=request.user, initial=wanted), wanted)
    form = SubmissionForm(
        request.POST,
        request.FILES,
        user=request.user,
        was_too_large=getattr(request, "upload_was_too_large", False),
    )
    if not form.is_valid():
        return _form(request, form, request.POST, status=400)
    fields = dict(form.cleaned_data)
    try:
        made, is_new = upload.send(request.user, fields.pop("file"), **fields)
    except Quota as quota:
        form.add_error("tier", str(quota))
        return _form(request, form, request.POST, status=429)
    if not is_new:
        messages.info(request, "You have already submitted this file; this is its result.")
    return redirect(made)


def _form(
    request: HttpRequest, form: SubmissionForm, asked: Any, status: int = 200
) -> HttpResponse:
    modalities = list(Modality.objects.listed())
    chosen = next((m for m in modalities if m.key == asked.get("modality")), None)
    context = {
        "form": form,
        "modality": chosen,
        "query": program_page.query(asked),
        "has_methods": Method.objects.owned_by(request.user).exists(),
        "left": Attempt.objects.of(request.user).files().left(modalities),
        "price": PRICE_OF_A_HIDDEN_RUN,
        "a_day": settings.PWM_DEV_SUBMISSIONS_A_DAY,
        "a_month": settings.PWM_DEV_SUBMISSIONS_A_MONTH,
        "missing_ends_it": missing_ends_it(),
        "near": attempt_page.NEAR,
        "sizes": [(m.short_name, filesizeformat(upload.largest(m))) for m in modalities],
        "most": upload.largest_of_all(),
        "curl": curl(request, chosen or (modalities[0] if modalities else None)),
    }
    return render(request, "leaderboards/submit.html", context, status=status)


def curl(request: HttpRequest, modality: Modality | None) -> str:
    """Write the command that does what the form does, with this site's address."""
    method = Method.objects.owned_by(request.user).values_list("slug", flat=True).first()
    site = request.build_absolute_uri("/")
    return f"""\
curl -f {site}api/v1/submissions/ \\
  -H "Authorization: Bearer $PWM_TOKEN" \\
  -F modality={modality.key if modality else "key"} -F tier=public \\
  -F method={method or "your-method"} -F file=@submission.h5"""


@never_cache
@login_required
@require_safe
def submissions(request: HttpRequest) -> HttpResponse:
    """List a person's submissions, the newest first."""
    mine = Attempt.objects.of(request.user).with_place().select_related(*RELATED)
    context = {"nav": "", "lines": [attempt_page.line(s) for s in mine[:PAGE]]}
    return render(request, "leaderboards/submissions.html", context)


def _mine(request: HttpRequest, pk: UUID) -> Attempt:
    """Get a submission of the person who asks; raise Http404 for anybody else's."""
    found = get_object_or_404(Attempt.objects.of(request.user).select_related(*RELATED), pk=pk)
    return tells.shown(found)


@never_cache
@login_required
@require_safe
def submission(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show one's own submission: its progress, then its scores or all that is wrong with it."""
    found = _mine(request, pk)
    context = {
        "submission": found,
        "events": tells.history(found),
        "forecast": _forecast(found),
        "again_url": _again_url(found),
        **attempt_page.page(found),
    }
    if found.kind == Kind.PROGRAM:
        context |= program_page.of_run(found)
        return render(request, "leaderboards/program_run.html", context)
    return render(request, "leaderboards/submission.html", context)


@never_cache
@login_required
@require_safe
def progress(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give the fragment that the page asks for every two seconds, until the scoring has ended.

    Status 286 tells htmx to ask no more, and the page is loaded again with the result.
    """
    found = _mine(request, pk)
    context = {
        "submission": found,
        "line": attempt_page.line(found),
        "forecast": _forecast(found),
    }
    if found.kind == Kind.PROGRAM:
        context["steps"] = program_page.steps(found)
    status = HTMX_STOP_POLLING if found.has_ended else 200
    template = "_run_progress" if found.kind == Kind.PROGRAM else "_progress"
    response = render(request, f"leaderboards/{template}.html", context, status=status)
    if found.has_ended:
        response["HX-Refresh"] = "true"
    return response


@login_required
@require_POST
def cancel(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Stop one's own submission; a worker that scores it notices within two seconds."""
    found = _mine(request, pk)
    if not found.cancel(by=request.user.get_username()):
        messages.info(request, "This submission has already ended; there is nothing to cancel.")
    return redirect(found)


@login_required
@require_POST
def choose(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let one's own result count on the board, or leave it to the rule again."""
    found = _mine(request, pk)
    if found.entry is None:
        messages.error(request, "This submission has no score, so it cannot count.")
        return redirect(found)
    wanted = None if "by_rule" in request.POST else found
    try:
        counting.choose(found.entry, found.tier, wanted, by=request.user)
    except counting.ChoiceError as error:
        messages.error(request, str(error))
    else:
        told = "The board follows its rule again." if wanted is None else "This result counts now."
        messages.success(request, f"{told} The ranks follow within seconds.")
    return redirect(found)


def _again_url(found: Attempt) -> str:
    """Lead to the form that this was sent with, filled in likewise."""
    place = "submit_program" if found.kind == Kind.PROGRAM else "submit"
    asked = {"modality": found.modality.key, "tier": found.tier, "method": found.method.slug}
    return f"{reverse(f'leaderboards:{place}')}?{urlencode(asked)}"


def _forecast(found: Attempt) -> Any:
    """Say when it will be done; of a hidden run its place alone, since a duration can tell."""
    if not found.is_live:
        return None
    alike = Attempt.objects.filter(kind=found.kind, modality=found.modality_id)
    if found.kind == Kind.PROGRAM:
        alike = alike.filter(tier=TierName.PUBLIC) if found.is_trial else alike.none()
    return forecast(found, alike)
