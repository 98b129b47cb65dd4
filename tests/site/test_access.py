"""Who may ask what: every address, method and role has its answer in one table.

An address without a row fails, and so does a row without an address. Methods without a row are
refused to everybody. Rows say what a request without a body gets: 400 means that it got as far as
the form.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.urls import resolve

from tests.needs import FULL

from .addresses import ROLES, World, routes

pytestmark = pytest.mark.django_db
# What the rows leave out; all of them in the long form, for the least and the most powerful.
OTHERS = ("PUT", "PATCH", "DELETE") if FULL else ("DELETE",)
REFUSED = {302, 401, 403, 404, 405}

# For anonymous, member, owner, other member, curator and superuser; one status stands for all six.
SITE = """
/                                              GET  200
/about/                                        GET  200
/accounts/                                     GET  302 200 200 200 200 200
/accounts/credits/                             GET  302 200 200 200 200 200
/accounts/tokens/                              POST 302 400 400 400 400 400
/accounts/tokens/{token}/revoke/               POST 302 404 302 404 404 404
/accounts/login/                               GET  200 302 302 302 302 302
/accounts/login/                               POST 200 302 302 302 302 302
/accounts/logout/                              GET  302 200 200 200 200 200
/accounts/logout/                              POST 302
/accounts/inactive/                            GET  200
/accounts/signup/                              GET  200 302 302 302 302 302
/accounts/signup/                              POST 200 302 302 302 302 302
/accounts/reauthenticate/                      GET  302 200 200 200 200 200
/accounts/reauthenticate/                      POST 302 200 200 200 200 200
/accounts/email/                               GET  302 200 200 200 200 200
/accounts/email/                               POST 302
/accounts/confirm-email/                       GET  200
/accounts/confirm-email/a-key/                 GET  200
/accounts/confirm-email/a-key/                 POST 404
/accounts/password/change/                     GET  302 200 200 200 200 200
/accounts/password/change/                     POST 302 200 200 200 200 200
/accounts/password/set/                        GET  302
/accounts/password/set/                        POST 302
/accounts/password/reset/                      GET  200
/accounts/password/reset/                      POST 200
/accounts/login/code/confirm/                  GET  302
/accounts/login/code/confirm/                  POST 302
/accounts/password/reset/key/done/             GET  200
/accounts/password/reset/key/1-a/              GET  200
/accounts/password/reset/key/1-a/              POST 200
/accounts/password/reset/done/                 GET  200
/accounts/2fa/                                 GET  302 200 200 200 200 200
/accounts/2fa/authenticate/                    GET  302
/accounts/2fa/authenticate/                    POST 302
/accounts/2fa/reauthenticate/                  GET  302
/accounts/2fa/reauthenticate/                  POST 302
/accounts/2fa/totp/activate/                   GET  302
/accounts/2fa/totp/activate/                   POST 302
/accounts/2fa/totp/deactivate/                 GET  302 404 404 404 404 404
/accounts/2fa/totp/deactivate/                 POST 302 404 404 404 404 404
/accounts/2fa/recovery-codes/                  GET  302 404 404 404 404 404
/accounts/2fa/recovery-codes/generate/         GET  302
/accounts/2fa/recovery-codes/generate/         POST 302
/accounts/2fa/recovery-codes/download/         GET  302 404 404 404 404 404
/accounts/2fa/recovery-codes/download/         POST 302 404 404 404 404 404
/api/                                          GET  200
/api/v1/                                       GET  200
/api/v1/modalities/                            GET  200
/api/v1/modalities/stem/                       GET  200
/api/v1/methods/                               GET  200
/api/v1/methods/                               POST 401 400 400 400 400 400
/api/v1/methods/own/                           GET  200
/api/v1/runs/                                  GET  200
/api/v1/runs/{run}/                            GET  200
/api/v1/submissions/                           GET  401 200 200 200 200 200
/api/v1/submissions/                           POST 401 400 400 400 400 400
/api/v1/submissions/{attempt}/                 GET  401 404 200 404 404 404
/api/v1/programs/                              GET  401 200 200 200 200 200
/api/v1/programs/                              POST 401 400 400 400 400 400
/api/v1/programs/{program}/                    GET  401 404 200 404 404 404
/api/v1/credits/                               GET  401 200 200 200 200 200
/api/v1/credits/balance/                       GET  401 200 200 200 200 200
/api/v1/bundle-keys/                           GET  200
/api/v1/modalities/stem/boards/                GET  200
/api/v1/modalities/stem/boards/challenge/      GET  200
/api/v1/modalities/stem/spec-curves/           GET  200
/api/v1/modalities/stem/calibration/           GET  200
/api/v1/modalities/stem/gallery/               GET  200
/api/v1/schema/                                GET  200
/corner/                                       GET  200
/modalities/stem/compute/                      POST 302
/runs/{run}/                                   GET  200
/runs/{run}/progress/                          GET  286
/runs/{live}/cancel/                           POST 403 403 403 403 403 302
/runs/{run}/files/none.webp                    GET  404
/submissions/{attempt}/0-reconstruction.webp   GET  302 404 404 404 404 404
/.well-known/pwm-bundle-keys.json              GET  200
/methods/                                      GET  200
/methods/register/                             GET  302 200 200 200 200 200
/methods/register/                             POST 302 200 200 200 200 200
/methods/own/                                  GET  200
/methods/own/edit/                             GET  302 404 200 404 404 404
/methods/own/edit/                             POST 302 404 200 404 404 404
/modalities/stem/starter.py                    GET  200
/modalities/stem/boards/challenge/             GET  200
/entries/{entry}/                              GET  200
/entries/{entry}/bundle.zip                    GET  200
/submissions/                                  GET  302 200 200 200 200 200
/submissions/new/                              GET  302 200 200 200 200 200
/submissions/new/                              POST 302 400 400 400 400 400
/submissions/program/                          GET  302 200 200 200 200 200
/submissions/program/                          POST 302 400 400 400 400 400
/submissions/{program}/                        GET  302 404 200 404 404 404
/submissions/{program}/progress/               GET  302 404 200 404 404 404
/submissions/{program}/cancel/                 POST 302 404 302 404 404 404
/submissions/{attempt}/                        GET  302 404 200 404 404 404
/submissions/{attempt}/progress/               GET  302 404 286 404 404 404
/submissions/{attempt}/cancel/                 POST 302 404 302 404 404 404
/submissions/{attempt}/choose/                 POST 302 404 302 404 404 404
/curate/                                       GET  302 404 404 404 200 200
/curate/credits/                               GET  302 404 404 404 200 200
/curate/credits/                               POST 302 404 404 404 400 400
/curate/programs/                              GET  302 404 404 404 200 200
/curate/programs/{program}/                    GET  302 404 404 404 200 200
/curate/{entry}/                               GET  302 404 404 404 200 200
/curate/{entry}/decide/                        POST 302 404 404 404 400 400
/curate/{entry}/rerun/                         POST 302 404 404 404 302 302
/curate/{entry}/progress/                      GET  302 404 404 404 286 286
/history/                                      GET  200
/history/feed.atom                             GET  200
/programs/                                     GET  200
/search/                                       GET  200
/modalities/stem/                              GET  200
/modalities/stem/data/public.h5                GET  404
/healthz                                       GET  200
/metrics                                       GET  404
/operations/                                   GET  302 403 403 403 403 200
/real-data/                                    GET  200
/real-data/{nobodys}/none.webp                 GET  404
/readyz                                        GET  503
"""

# Everybody but the staff is led to the sign-in page; this is what superusers get by GET and POST.
ADMIN = """
/admin/                                              200 200
/admin/logout/                                       405 200
/admin/password_change/                              200 200
/admin/password_change/done/                         200 405
/admin/autocomplete/                                 403 405
/admin/jsi18n/                                       200 405
/admin/r/1/1/                                        404 404
/admin/modalities/                                   200 200
/admin/nothing                                       404 404
/admin/modalities/modality/                          200 200
/admin/modalities/modality/add/                      403 403
/admin/modalities/modality/{modality}/history/       200 200
/admin/modalities/modality/{modality}/delete/        403 403
/admin/modalities/modality/{modality}/change/        200 403
/admin/modalities/modality/{modality}/               302 302
/admin/gallery/run/                                  200 200
/admin/gallery/run/add/                              403 403
/admin/gallery/run/{run}/history/                    200 200
/admin/gallery/run/{run}/delete/                     403 403
/admin/gallery/run/{run}/change/                     200 403
/admin/gallery/run/{run}/                            302 302
/admin/leaderboards/entry/                           200 200
/admin/leaderboards/entry/add/                       403 403
/admin/leaderboards/entry/{entry}/history/           200 200
/admin/leaderboards/entry/{entry}/delete/            403 403
/admin/leaderboards/entry/{entry}/change/            200 403
/admin/leaderboards/entry/{entry}/                   302 302
/admin/leaderboards/method/                          200 200
/admin/leaderboards/method/add/                      403 403
/admin/leaderboards/method/{method_pk}/history/      200 200
/admin/leaderboards/method/{method_pk}/delete/       403 403
/admin/leaderboards/method/{method_pk}/change/       200 200
/admin/leaderboards/method/{method_pk}/              302 302
/admin/leaderboards/creditaccount/                   200 200
/admin/leaderboards/creditaccount/add/               403 403
/admin/leaderboards/creditaccount/9999/history/      302 302
/admin/leaderboards/creditaccount/9999/delete/       403 403
/admin/leaderboards/creditaccount/9999/change/       302 403
/admin/leaderboards/creditaccount/9999/              302 302
/admin/auth/group/                                   200 200
/admin/auth/group/add/                               200 200
/admin/auth/group/{group}/history/                   200 200
/admin/auth/group/{group}/delete/                    200 200
/admin/auth/group/{group}/change/                    200 200
/admin/auth/group/{group}/                           302 302
/admin/auth/user/                                    200 200
/admin/auth/user/add/                                200 200
/admin/auth/user/{user}/history/                     200 200
/admin/auth/user/{user}/delete/                      200 200
/admin/auth/user/{user}/change/                      200 200
/admin/auth/user/{user}/                             302 302
/admin/account/emailaddress/                         200 200
/admin/account/emailaddress/add/                     200 200
/admin/account/emailaddress/9999/history/            302 302
/admin/account/emailaddress/9999/delete/             302 302
/admin/account/emailaddress/9999/change/             302 302
/admin/account/emailaddress/9999/                    302 302
/admin/mfa/authenticator/                            200 200
/admin/mfa/authenticator/add/                        403 403
/admin/mfa/authenticator/9999/history/               302 302
/admin/mfa/authenticator/9999/delete/                302 302
/admin/mfa/authenticator/9999/change/                302 403
/admin/mfa/authenticator/9999/                       302 302
/admin/leaderboards/entry/{entry}/history/1/         404 404
/admin/leaderboards/method/{method_pk}/history/1/    404 404
/admin/auth/user/{user}/password/                    200 200
"""

# Views of Django and allauth that look at no method. None of them changes a row unless it is POST.
ANY_METHOD = ("/accounts/", "/admin/")


@pytest.fixture
def world(settings) -> World:
    settings.PWM_OPEN_COMPUTE = False
    return World()


class Asking:
    """Asks in every role; what a request changes is undone, in the database and in the browser."""

    def __init__(self, world: World) -> None:
        self.clients: dict[str, Client] = {role: world.client(role) for role in ROLES}
        self.cookies = {role: deepcopy(c.cookies) for role, c in self.clients.items()}

    def __call__(self, role: str, method: str, path: str) -> int:
        cache.clear()
        client = self.clients[role]
        client.cookies = deepcopy(self.cookies[role])
        with transaction.atomic():
            status = client.generic(method, path).status_code
            transaction.set_rollback(True)
        return status


def site_rows() -> Iterator[tuple[str, str, list[int]]]:
    """Give path, method and the statuses of the roles."""
    for line in SITE.strip().splitlines():
        path, method, *statuses = line.split()
        numbers = [int(status) for status in statuses]
        yield path, method, numbers * len(ROLES) if len(numbers) == 1 else numbers


def admin_rows() -> Iterator[tuple[str, int, int]]:
    """Give path and what a superuser gets by GET and POST."""
    for line in ADMIN.strip().splitlines():
        path, get, post = line.split()
        yield path, int(get), int(post)


def test_every_address_has_a_row(world):
    rows = [row[0] for row in (*site_rows(), *admin_rows())]
    covered = {resolve(path.format(**vars(world.paths))).route for path in rows}
    known = {route for route in routes() if route != "admin/login/"}
    assert covered == known


def test_every_role_gets_what_the_table_says(world):
    ask, wrong = Asking(world), []
    for path, method, expected in site_rows():
        place = path.format(**vars(world.paths))
        found = [ask(role, method, place) for role in ROLES]
        if found != expected:
            wrong.append(f"{path} {method} {' '.join(map(str, found))}")
    assert not wrong


def test_the_admin_is_for_the_staff(world):
    ask, wrong = Asking(world), []
    for path, get, post in admin_rows():
        place = path.format(**vars(world.paths))
        found = [ask("superuser", method, place) for method in ("GET", "POST")]
        if found != [get, post]:
            wrong.append(f"{path} {' '.join(map(str, found))}")
        for role in ROLES[:-1] if FULL else ("curator",):
            if any(ask(role, method, place) != 302 for method in ("GET", "POST")):
                wrong.append(f"{path} is not refused to {role}")
    assert not wrong


def test_what_the_table_leaves_out_is_refused(world):
    ask, wrong = Asking(world), []
    rows = {(path, method) for path, method, _ in site_rows()}
    for path in dict.fromkeys(path for path, _ in rows):
        place = path.format(**vars(world.paths))
        others = OTHERS if not path.startswith(ANY_METHOD) else ()
        for method in {"GET", "POST", *others} - {m for p, m in rows if p == path}:
            for role in ("anonymous", "superuser"):
                if (status := ask(role, method, place)) not in REFUSED:
                    wrong.append(f"{method} {path} as {role}: {status}")
    assert not wrong
