"""Who gets a role, and who changes the account of somebody else."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import OperationalError

from people.errors import AccountErased, LastAdministrator
from people.models import User
from people.models.users import moderators_group
from people.services import staff
from people.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def give(*, user, by):
    return staff.give_roles(user=user, roles=[moderators_group()], by=by)


def take(*, user, by):
    return staff.take_roles(user=user, roles=[moderators_group()], by=by)


def row(user):
    columns = User.objects.values().get(pk=user.pk)
    del columns["searched"]  # follows from others
    return columns


def test_moderators_come_and_go_and_nobody_else_is_touched(administrator, moderator, learner):
    others = [row(administrator), row(moderator)]
    appointed = give(user=learner, by=administrator)
    assert appointed.is_staff
    assert row(learner)["is_staff"]
    assert set(moderators_group().user_set.all()) == {moderator, learner}
    give(user=learner, by=administrator)
    assert moderators_group().user_set.count() == 2
    dismissed = take(user=learner, by=administrator)
    assert not dismissed.is_staff
    assert not row(learner)["is_staff"]
    assert set(moderators_group().user_set.all()) == {moderator}
    assert [row(administrator), row(moderator)] == others


@pytest.mark.parametrize(
    ("traits", "group", "right", "stays"),
    [
        ({}, False, False, False),
        ({}, True, False, True),
        ({}, False, True, True),
        ({"is_superuser": True}, False, False, True),
    ],
)
def test_a_dismissed_moderator_with_other_rights_stays_in_the_staff(
    administrator, moderators, traits, group, right, stays
):
    user = UserFactory.create(is_staff=True, **traits)
    user.groups.add(moderators_group())
    if group:
        user.groups.add(Group.objects.create(name="bookkeepers"))
    if right:
        user.user_permissions.add(Permission.objects.get(codename="view_payment"))
    take(user=user, by=administrator)
    assert row(user)["is_staff"] is stays
    assert user.groups.count() == group


def test_only_an_active_administrator_appoints_and_dismisses(support, moderator, learner):
    former = UserFactory.create(is_superuser=True, is_active=False)
    for by in (support, moderator, former):
        with pytest.raises(PermissionDenied):
            give(user=learner, by=by)
        with pytest.raises(PermissionDenied):
            take(user=moderator, by=by)
    assert set(moderators_group().user_set.all()) == {moderator}
    assert not row(learner)["is_staff"]


def test_nobody_makes_anything_of_an_erased_account(administrator, moderators):
    erased = UserFactory.create(erased=True)
    before = row(erased)
    for change in (give, take):
        with pytest.raises(AccountErased):
            change(user=erased, by=administrator)
    assert row(erased) == before
    assert not erased.groups.exists()


def test_an_appointment_that_fails_half_way_leaves_no_moderator(
    administrator, moderators, learner, failing_at
):
    with pytest.raises(OperationalError), failing_at('UPDATE "people_user"'):
        give(user=learner, by=administrator)
    assert not learner.groups.exists()


def test_a_dismissal_that_fails_half_way_leaves_the_moderator(administrator, moderator, failing_at):
    with pytest.raises(OperationalError), failing_at('UPDATE "people_user"'):
        take(user=moderator, by=administrator)
    assert moderator.groups.exists()


def test_only_what_is_given_changes_and_is_looked_at(support, learner, stranger):
    User.objects.filter(pk=learner.pk).update(phone="89161234567")  # of before the rule
    stale, others = User.objects.get(pk=learner.pk), row(stranger)
    User.objects.filter(pk=learner.pk).update(last_name="Smith")
    before = row(learner)
    changed = staff.update_account(user=stale, by=support, changes={"city": "Riga"})
    assert (changed.city, changed.last_name) == ("Riga", "Smith")
    assert row(learner) == before | {"city": "Riga"}
    with pytest.raises(ValidationError):
        staff.update_account(user=stale, by=support, changes={"city": "Oslo", "phone": "+7"})
    assert staff.update_account(user=stale, by=support, changes={}) == learner
    assert row(learner) == before | {"city": "Riga"}
    assert row(stranger) == others


@pytest.mark.parametrize("right", ["is_staff", "is_superuser"])
def test_rights_are_given_and_taken_by_administrators_only(support, administrator, learner, right):
    for value in (True, False):
        with pytest.raises(PermissionDenied):
            staff.update_account(user=learner, by=support, changes={"city": "Riga", right: value})
    assert (row(learner)[right], row(learner)["city"]) == (False, "")
    for value in (True, False):
        staff.update_account(user=learner, by=administrator, changes={right: value})
        assert row(learner)[right] is value


def test_support_changes_no_account_of_the_staff(support, moderator, administrator):
    for colleague in (support, moderator, administrator):
        before = row(colleague)
        with pytest.raises(PermissionDenied):
            staff.update_account(user=colleague, by=support, changes={"city": "Riga"})
        assert row(colleague) == before


@pytest.mark.parametrize(
    ("others", "changes", "refused"),
    [
        ([], {"is_superuser": False}, True),
        ([], {"is_staff": False}, True),
        ([{"is_superuser": True, "is_active": False}], {"is_superuser": False}, True),
        ([{"is_staff": True}], {"is_superuser": False}, True),
        ([{"is_superuser": True}], {"is_superuser": False}, False),
        ([{"is_superuser": True}], {"is_staff": False}, False),
        ([], {"is_superuser": True, "is_staff": True, "city": "Riga"}, False),
        ([], {"city": "Riga"}, False),
    ],
)
def test_the_last_administrator_stays_one(administrator, others, changes, refused):
    for traits in others:
        UserFactory.create(**traits)
    before = row(administrator)
    if refused:
        with pytest.raises(LastAdministrator):
            staff.update_account(user=administrator, by=administrator, changes=changes)
        assert row(administrator) == before
    else:
        staff.update_account(user=administrator, by=administrator, changes=changes)
        after = row(administrator)
        # Who is an administrator no more has to be warned before the sweep blocks them.
        counts_from_now = after.pop("inactivity_from") is not None
        assert counts_from_now == (changes.get("is_superuser") is False)
        assert after | {"inactivity_from": None} == before | changes


def test_taking_the_staff_flag_of_somebody_else_asks_for_no_other_administrator(
    administrator, moderator
):
    staff.update_account(user=moderator, by=administrator, changes={"is_staff": False})
    assert not row(moderator)["is_staff"]
