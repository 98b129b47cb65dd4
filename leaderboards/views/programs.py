"""Send a program to be run."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from leaderboards import program_page, programs, upload
from leaderboards.models import Method, NotEnoughCredits, Quota
from leaderboards.submission_form import ProgramForm
from modalities.models import Modality

PAYMENT_REQUIRED, TOO_LARGE, TOO_MANY, UNAVAILABLE = 402, 413, 429, 503


@csrf_exempt  # the check comes in _submit: it reads the body, whose size is limited first
@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def submit(request: HttpRequest) -> HttpResponse:
    """Show the form of programs, or take one in."""
    upload.limit(request, programs.largest_of_all())
    return _submit(request)


@csrf_protect
def _submit(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        asked = {name: request.GET.get(name) for name in ("modality", "tier", "method", "form")}
        wanted = {name: value for name, value in asked.items() if value}
        return _form(request, ProgramForm(user=request.user, initial=wanted), wanted)
    form = ProgramForm(
        request.POST,
        request.FILES,
        user=request.user,
        was_too_large=getattr(request, "upload_was_too_large", False),
    )
    if not form.is_valid():
        return _form(request, form, request.POST, TOO_LARGE if form.was_too_large else 400)
    if blocked := programs.why_blocked():
        form.add_error(None, f"{blocked} Nothing was kept, and nothing was charged.")
        return _form(request, form, request.POST, UNAVAILABLE)
    fields = dict(form.cleaned_data)
    try:
        made, is_new = programs.submit_program(request.user, fields.pop("file"), **fields)
    except NotEnoughCredits as short:
        form.add_error("tier", f"{short} Nothing was charged, and a trial run is free.")
        return _form(request, form, request.POST, PAYMENT_REQUIRED)
    except Quota as quota:
        form.add_error("tier", f"{quota} Nothing was kept, and nothing was charged.")
        return _form(request, form, request.POST, TOO_MANY)
    if not is_new:
        messages.info(
            request,
            "You have already sent this program; this is its run. Nothing was charged again.",
        )
    return redirect(made)


def _form(request: HttpRequest, form: ProgramForm, asked: Any, status: int = 200) -> HttpResponse:
    modalities = list(Modality.objects.listed())
    chosen = next((m for m in modalities if m.key == asked.get("modality")), None)
    context = {
        "form": form,
        "modality": chosen,
        "query": program_page.query(asked),
        "has_methods": Method.objects.owned_by(request.user).exists(),
        "curl": curl(request, chosen or (modalities[0] if modalities else None)),
        **program_page.before_sending(request.user),
    }
    return render(request, "leaderboards/submit_program.html", context, status=status)


def curl(request: HttpRequest, modality: Modality | None) -> str:
    """Write the command that does what the form does, with this site's address."""
    method = Method.objects.owned_by(request.user).values_list("slug", flat=True).first()
    site = request.build_absolute_uri("/")
    return f"""\
curl -f {site}api/v1/programs/ \\
  -H "Authorization: Bearer $PWM_TOKEN" \\
  -F modality={modality.key if modality else "key"} -F tier=public \\
  -F method={method or "your-method"} -F form=script -F file=@algo.py"""
