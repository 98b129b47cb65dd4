"""Submit a file, follow it, stop it, and see what the server found. Private: others get 404."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import filesizeformat
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from leaderboards import attempt_page, counting, programs, tells, upload
from leaderboards.models import Attempt, Method, Quota, missing_ends_it
from leaderboards.submission_form import SubmissionForm
from modalities.jobs.forecast import forecast
from modalities.models import Modality

HTMX_STOP_POLLING = 286
PAGE = 200
RELATED = ("modality", "method", "entry")


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
        "asks_for_hidden": asked.get("tier") == "hidden",
        "has_methods": Method.objects.owned_by(request.user).exists(),
        "left": Attempt.objects.of(request.user).files().left(modalities),
        "programs": programs.IN_SHORT,
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
        **attempt_page.page(found),
    }
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
    status = HTMX_STOP_POLLING if found.has_ended else 200
    response = render(request, "leaderboards/_progress.html", context, status=status)
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


def _forecast(found: Attempt) -> Any:
    if not found.is_live:
        return None
    return forecast(found, Attempt.objects.files().filter(modality=found.modality_id))
