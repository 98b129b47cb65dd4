"""Register a method, and change what one has registered. Others' methods answer 404 here."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from leaderboards.method_form import MethodForm
from leaderboards.models import Method
from modalities.models import Modality


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def register(request: HttpRequest) -> HttpResponse:
    """Register a method, and go on to submit its first result."""
    wanted = Modality.objects.listed().filter(key=request.GET.get("modality", "")).first()
    initial = {"modalities": [wanted.pk]} if wanted else {}
    form = MethodForm(request.POST or None, user=request.user, initial=initial)
    if request.method == "POST" and form.is_valid() and (method := form.try_save()):
        messages.success(request, f"{method} is registered. Now send in its first result.")
        first = wanted or form.cleaned_data["modalities"][0]
        asked = urlencode({"modality": first.key, "method": method.slug})
        return redirect(f"{reverse('leaderboards:submit')}?{asked}")
    return _form(request, form)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Change one's own method; its address stays."""
    method = get_object_or_404(Method.objects.owned_by(request.user), slug=slug)
    form = MethodForm(request.POST or None, user=request.user, instance=method)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "The changes are saved.")
        return redirect(method)
    return _form(request, form, method.slug)


def _form(request: HttpRequest, form: MethodForm, slug: str = "") -> HttpResponse:
    status = 400 if form.is_bound else 200
    context = {"nav": "methods", "form": form, "slug": slug}
    return render(request, "leaderboards/method_form.html", context, status=status)
