"""Who curates: the members of a group that needs neither the staff's nor the superuser's flag."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.management import create_permissions
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from . import second_factor

GROUP = "curators"
PERMISSION = "leaderboards.curate_entry"

View = Callable[..., HttpResponse]


def is_curator(person: Any) -> bool:
    """Tell whether a person curates: a member of the group, or a superuser."""
    return bool(person.has_perm(PERMISSION))


def is_curating(request: HttpRequest) -> bool:
    """Tell whether a curator asks, in a session that may curate."""
    return is_curator(request.user) and second_factor.is_proved(request)


def curators_only(view: View) -> View:
    """Answer 404 to members who do not curate, and lead everybody else to the sign-in page.

    In production a curator is asked for a second factor, too.
    """

    @never_cache
    @login_required
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not is_curator(request.user):
            raise Http404("The page may have moved, or the address has a typing error.")
        if not second_factor.is_proved(request):
            return second_factor.ask(request)
        return view(request, *args, **kwargs)

    return answer


def make_group(sender: Any, using: str, **_: Any) -> None:
    """Make the group with its permission; after every ``migrate``, so that it is always there."""
    from django.contrib.auth.models import Group, Permission

    # Django makes permissions after each migrate too, but later than now for this app.
    create_permissions(sender, verbosity=0, interactive=False, using=using)
    app, codename = PERMISSION.split(".")
    permission = Permission.objects.using(using).get(content_type__app_label=app, codename=codename)
    group, _is_new = Group.objects.using(using).get_or_create(name=GROUP)
    group.permissions.add(permission)
