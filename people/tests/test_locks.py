"""What the locks of an account are for: a call that had to wait goes by what the account became."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse

from people import one_time_links
from people.errors import (
    AccountBlocked,
    AccountErased,
    EmailTaken,
    InvalidCredentials,
    InvalidLink,
    InvalidToken,
    LastAdministrator,
    NotAdministrator,
)
from people.models import TokenFamily, User
from people.services import accounts, blocks, passwords, sessions, staff
from people.tests.factories import PASSWORD, UserFactory
from project.tests.races import meanwhile

# SQLite locks the whole database.
pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


def overtaken(change: Callable[[], Any], call: Callable[[], Any]) -> Any:
    """Change something, and before that is committed let somebody else call; they have to wait.
    Return what they got or what was raised."""
    _done, outcome, waited = meanwhile(change, call)
    assert waited, f"it did not wait: {outcome}"
    return outcome


def block(user: User) -> None:
    blocks.block(user=user, by=None)


def erase(user: User) -> None:
    accounts.erase_account(user=User.objects.get(pk=user.pk))


def set_password(user: User) -> None:
    passwords.change_password(
        user=User.objects.get(pk=user.pk), old_password=PASSWORD, new_password="third horse battery"
    )


def promote(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_superuser=True)


def dismiss(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_superuser=False)


def log_in(user: User, _by: User) -> Any:
    return sessions.log_in(email=user.email, password=PASSWORD)


def change_password(user: User, _by: User) -> Any:
    return passwords.change_password(user=user, old_password=PASSWORD, new_password="another long")


def set_avatar(user: User, _by: User) -> Any:
    return accounts.set_avatar(user=user, picture=None)


@pytest.mark.parametrize(
    ("change", "call", "expected"),
    [
        (block, log_in, AccountBlocked),
        (set_password, log_in, InvalidCredentials),
        (set_password, change_password, ValidationError),
        (erase, change_password, ValidationError),
        (block, set_avatar, InvalidToken),
        (erase, lambda user, _by: accounts.update_profile(user=user, changes={}), InvalidToken),
        (erase, lambda user, _by: accounts.erase_account(user=user), InvalidToken),
        (erase, lambda user, by: accounts.erase_account(user=user, by=by), AccountErased),
        (erase, lambda user, by: blocks.block(user=user, by=by), AccountErased),
        (erase, lambda user, by: blocks.unblock(user=user, by=by), AccountErased),
        (
            erase,
            lambda user, by: staff.give_roles(user=user, roles=Group.objects.all(), by=by),
            AccountErased,
        ),
        (
            erase,
            lambda user, by: staff.take_roles(user=user, roles=Group.objects.all(), by=by),
            AccountErased,
        ),
    ],
)
def test_who_has_to_wait_for_an_account_goes_by_what_it_has_become(change, call, expected):
    user, by = UserFactory.create(), UserFactory.create(is_superuser=True)
    moderators = Group.objects.create(name="moderators")
    result = overtaken(lambda: change(user), lambda: call(User.objects.get(pk=user.pk), by))
    assert isinstance(result, expected), result
    assert not moderators.user_set.exists()
    user.refresh_from_db()
    assert user.token_version == 1


@pytest.mark.parametrize("end", [block, erase, set_password])
def test_a_refresh_token_that_waits_is_refused_if_its_account_was_closed(end):
    user = UserFactory.create()
    token = sessions.log_in(email=user.email, password=PASSWORD).refresh
    result = overtaken(lambda: end(user), lambda: sessions.refresh(token=token))
    assert isinstance(result, InvalidToken)
    assert not TokenFamily.objects.filter(generation__gt=0).exists()


def test_a_refresh_token_that_waits_for_itself_gets_the_same_successor():
    user = UserFactory.create()
    token = sessions.log_in(email=user.email, password=PASSWORD).refresh
    first, second, waited = meanwhile(*[lambda: sessions.refresh(token=token)] * 2)
    assert waited
    assert first.refresh == second.refresh
    assert TokenFamily.objects.get().generation == 1


@pytest.mark.parametrize("kind", ["password_reset", "reactivation"])
def test_a_link_that_waits_for_itself_is_refused(kind):
    user = UserFactory.create(inactive=True)

    def use(link: str) -> Any:
        uid, token = link.split("/")[-2:]
        if kind == "reactivation":
            return blocks.confirm_reactivation(uid=uid, token=token)
        return passwords.confirm_password_reset(uid=uid, token=token, new_password="another long")

    link = getattr(one_time_links, f"{kind}_link")(user)
    result = overtaken(lambda: use(link), lambda: use(link))
    assert isinstance(result, InvalidLink)


def test_support_that_waits_changes_nobody_who_became_an_administrator():
    user, by = UserFactory.create(), UserFactory.create(is_staff=True)
    by.user_permissions.add(Permission.objects.get(codename="change_user"))
    result = overtaken(
        lambda: promote(user),
        lambda: staff.update_account(user=user, by=by, changes={"email": "taken@over.example"}),
    )
    assert isinstance(result, PermissionDenied)


def test_a_password_set_by_a_command_that_waits_ends_the_tokens_of_its_time_too():
    user = UserFactory.create(is_superuser=True)
    result = overtaken(
        lambda: block(user),
        lambda: passwords.reset_password(user=user, password="another horse battery"),
    )
    assert isinstance(result, User)
    user.refresh_from_db()
    assert (user.token_version, user.is_active) == (2, False)


@pytest.mark.parametrize("end", [erase, dismiss])
def test_a_command_that_waits_sets_no_password_of_who_is_no_administrator_any_more(end):
    user, _other = UserFactory.create_batch(2, is_superuser=True)
    result = overtaken(
        lambda: end(user),
        lambda: passwords.reset_password(user=user, password="another horse battery"),
    )
    assert isinstance(result, NotAdministrator)
    assert not User.objects.get(pk=user.pk).check_password("another horse battery")


def test_the_page_for_a_password_does_not_bring_back_who_is_erased_meanwhile(client_of):
    user, by = UserFactory.create(), UserFactory.create(is_superuser=True, is_staff=True)
    address = reverse("admin:auth_user_password_change", args=[user.pk])
    new = {"password1": "another long one", "password2": "another long one"}
    client = client_of(by)
    answer = overtaken(lambda: erase(user), lambda: client.post(address, new))
    assert answer.status_code == 403
    erased = User.objects.get(pk=user.pk)
    assert (erased.blocked_reason, erased.is_active) == ("erased", False)
    assert not erased.has_usable_password()


@pytest.mark.parametrize(
    "leave",
    [
        lambda user, _by: accounts.erase_account(user=user),
        lambda user, by: staff.update_account(user=user, by=by, changes={"is_superuser": False}),
        lambda user, by: blocks.block(user=user, by=by),
    ],
)
def test_who_became_the_last_administrator_while_they_waited_stays(leave):
    user, by = UserFactory.create(), UserFactory.create(is_superuser=True)

    def hand_over() -> None:
        promote(user)
        User.objects.filter(pk=by.pk).update(is_superuser=False)

    assert isinstance(overtaken(hand_over, lambda: leave(user, by)), LastAdministrator)
    assert User.objects.get(is_superuser=True, is_active=True) == user


def test_two_administrators_who_block_each_other_at_once_do_not_both_go():
    ada, bea = UserFactory.create_batch(2, is_superuser=True)
    result = overtaken(
        lambda: blocks.block(user=ada, by=bea), lambda: blocks.block(user=bea, by=ada)
    )
    assert isinstance(result, LastAdministrator)
    assert User.objects.get(is_superuser=True, is_active=True) == bea


def test_an_email_that_somebody_takes_while_staff_wait_is_taken():
    user, other, by = UserFactory.create_batch(3, is_superuser=True)
    result = overtaken(
        lambda: User.objects.filter(pk=other.pk).update(email="new@school.example"),
        lambda: staff.update_account(user=user, by=by, changes={"email": "NEW@school.example"}),
    )
    assert isinstance(result, EmailTaken)


@pytest.mark.parametrize(
    "leave",
    [
        lambda user: accounts.erase_account(user=user),
        lambda user: staff.update_account(user=user, by=user, changes={"is_superuser": False}),
    ],
)
def test_the_administrator_who_waits_for_the_other_to_leave_stays(leave):
    ada, bea = UserFactory.create_batch(2, is_superuser=True)
    assert isinstance(overtaken(lambda: leave(ada), lambda: leave(bea)), LastAdministrator)
    assert User.objects.get(is_superuser=True, is_active=True) == bea
