"""Credits are never spent twice, never below zero, and every one of them is accounted for."""

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from leaderboards.models import CreditAccount, CreditChange, NotEnoughCredits
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def ten_to_start_with(settings) -> None:
    settings.PWM_CREDITS_AT_START = 10


@pytest.fixture
def account() -> CreditAccount:
    return CreditAccount.objects.of(make_user())


@pytest.fixture(autouse=True)
def balanced() -> object:
    """After every test, each balance is the sum of its ledger."""
    yield
    assert not CreditAccount.objects.unbalanced()


def test_account_opens_once_with_what_everybody_starts_with(account: CreditAccount) -> None:
    assert CreditAccount.objects.of(account.user).balance == 10
    assert account.changes.get().reason == "Credits to start with."


def test_account_without_a_confirmed_address_has_nothing_where_mail_is_sent(settings) -> None:
    settings.SENDS_MAIL = True
    user = make_user()
    assert CreditAccount.objects.of(user).balance == 0
    EmailAddress.objects.create(user=user, email=user.email, verified=False)
    assert CreditAccount.objects.of(user).balance == 0
    EmailAddress.objects.filter(user=user).update(verified=True)
    assert CreditAccount.objects.of(user).balance == 10
    assert CreditAccount.objects.of(user).balance == 10


def test_account_of_an_older_release_gets_nothing_twice(account: CreditAccount) -> None:
    other = CreditAccount.objects.create(user=make_user())
    other.grant(30, "Credits to start with.")
    assert CreditAccount.objects.of(other.user).balance == 30


def test_credits_to_start_with_are_given_once(account: CreditAccount) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        account.start()


def test_spending_lowers_the_balance_and_says_what_for(account: CreditAccount) -> None:
    account.spend(4, "submission:1", "Hidden run.")
    assert account.balance == 6
    assert account.changes.first().subject == "submission:1"


def test_two_who_read_the_same_balance_cannot_both_spend_it(account: CreditAccount) -> None:
    stale = CreditAccount.objects.get(pk=account.pk)
    account.spend(10, "submission:1", "Hidden run.")
    assert stale.balance == 10
    with pytest.raises(NotEnoughCredits, match="costs 10 credits and you have 0"):
        stale.spend(10, "submission:2", "Hidden run.")


def test_one_thing_is_paid_for_once(account: CreditAccount) -> None:
    account.spend(2, "submission:1", "Hidden run.")
    with pytest.raises(IntegrityError), transaction.atomic():
        account.spend(2, "submission:1", "Hidden run.")
    account.refresh_from_db()
    assert account.balance == 8


def test_refund_gives_back_what_was_paid_and_only_once(account: CreditAccount) -> None:
    account.spend(7, "submission:1", "Hidden run.")
    assert account.refund("submission:1", "The server was at fault.")
    assert not account.refund("submission:1", "The server was at fault.")
    assert account.balance == 10


def test_what_was_not_paid_is_not_given_back(account: CreditAccount) -> None:
    assert not account.refund("submission:1", "Please.")


def test_database_refuses_a_negative_balance(account: CreditAccount) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        CreditAccount.objects.filter(pk=account.pk).update(balance=-1)


@pytest.mark.parametrize(
    "line",
    [
        {"kind": "spend", "amount": 5, "subject": "submission:1"},
        {"kind": "grant", "amount": -5, "subject": ""},
        {"kind": "spend", "amount": -5, "subject": ""},
    ],
)
def test_database_refuses_a_line_that_makes_no_sense(
    account: CreditAccount, line: dict[str, object]
) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        CreditChange.objects.create(account=account, reason="Because.", **line)


def test_ledger_cannot_be_changed(account: CreditAccount) -> None:
    with pytest.raises(TypeError, match="History cannot be changed"):
        account.changes.get().save()


def test_curator_gives_credits_with_a_reason(client: Client, account: CreditAccount) -> None:
    curator: User = make_user(is_staff=True, is_superuser=True)
    client.force_login(curator)
    desk = reverse("admin:leaderboards_creditaccount_changelist")
    form = {"action": "grant", "_selected_action": [account.pk], "amount": 25}
    asked = client.post(desk, form | {"decide": "yes", "reason": ""})
    assert "This field is required" in asked.content.decode()
    client.post(desk, form | {"decide": "yes", "reason": "For the workshop."})
    account.refresh_from_db()
    assert account.balance == 35
    assert account.changes.first().by == curator
