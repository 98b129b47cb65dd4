"""Every address of the site, from its URL patterns, and a world in which each leads to a row."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.contrib.auth.models import Group
from django.test import Client
from django.urls import get_resolver

from leaderboards.catalogue import sync_everything
from leaderboards.curators import GROUP
from leaderboards.models import Attempt, Entry, Method
from modalities.models import Modality
from pwmsite.models import ApiToken
from tests.factories import make_attempt, make_entry, make_method, make_user
from tests.gallery.rows import make_finished_run, make_run
from tests.leaderboards.sending import send

ROLES = ("anonymous", "member", "owner", "other", "curator", "superuser")
NOBODYS = UUID(int=7)


def routes(resolver: Any = None, prefix: str = "") -> Iterator[str]:
    """List the routes of all URL patterns, as ``resolve(path).route`` spells them."""
    for pattern in (resolver or get_resolver()).url_patterns:
        route = prefix + str(pattern.pattern).removeprefix("^")
        if hasattr(pattern, "url_patterns"):
            yield from routes(pattern, route)
        else:
            yield route


class World:
    """People of every role, and one row behind every kind of address; ``paths`` names them.

    owner has the method, the entry, the submissions and the token; other has the like of their own.
    """

    def __init__(self) -> None:
        sync_everything()
        self.stem = Modality.objects.get(key="stem")
        self.people = {
            "member": make_user(username="member"),
            "owner": make_user(username="owner"),
            "other": make_user(username="other"),
            "curator": make_user(username="curator"),
            "superuser": make_user(username="superuser", is_staff=True, is_superuser=True),
        }
        self.people["curator"].groups.add(Group.objects.get(name=GROUP))
        self.method: Method = make_method(self.stem, slug="own", owner=self.people["owner"])
        self.attempt: Attempt = make_attempt(self.stem, self.method, "public")
        self.entry: Entry = self.attempt.entry
        make_entry(self.stem, make_method(self.stem, owner=self.people["other"]), tiers={})
        self.program = send(self.method)
        self.run = make_finished_run(self.stem)
        self.live_run = make_run(self.stem)
        self.token, _ = ApiToken.objects.make(self.people["owner"], "test")
        self.paths = SimpleNamespace(
            attempt=self.attempt.pk,
            entry=self.entry.pk,
            program=self.program.pk,
            run=self.run.pk,
            live=self.live_run.pk,
            token=self.token.pk,
            method_pk=self.method.pk,
            modality=self.stem.pk,
            group=Group.objects.get(name=GROUP).pk,
            user=self.people["member"].pk,
            nobodys=NOBODYS,
        )

    def client(self, role: str) -> Client:
        """Give a browser in which a person of this role is signed in."""
        client = Client(raise_request_exception=False)
        if role != "anonymous":
            client.force_login(self.people[role])
        return client
