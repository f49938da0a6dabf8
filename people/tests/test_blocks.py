"""Blocking, and the ways back."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from people import tasks
from people.errors import AccountErased
from people.models import BlockReason, User
from people.services import blocks
from people.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db


def confirm(api, link):
    return api(None).post("auth/reactivation/confirm", link)


@pytest.fixture
def clerk(db):
    """Staff who may change people."""
    user = UserFactory.create(is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="change_user"))
    return user


def test_link_lifts_a_block_for_inactivity_once(api, inactive, link_by_mail):
    others = [UserFactory.create(inactive=True), UserFactory.create(blocked=True)]
    link = link_by_mail("reactivation", inactive)
    before = timezone.now()
    assert confirm(api, link).status_code == 204
    inactive.refresh_from_db()
    assert inactive.is_active
    assert (inactive.blocked_at, inactive.blocked_reason) == (None, "")
    assert inactive.inactivity_from >= before  # or the sweep would block them again
    assert inactive.last_login < before  # nobody logged in
    assert set(User.objects.blocked()) == set(others)
    assert confirm(api, link_by_mail("reactivation", others[0])).status_code == 204
    assert set(User.objects.blocked()) == {others[1]}
    assert confirm(api, link).status_code == 409
    body = {"email": inactive.email, "password": PASSWORD}
    assert api(None).post("auth/token", body).status_code == 200


def test_old_link_does_not_lift_a_later_block(api, inactive, link_by_mail):
    link = link_by_mail("reactivation", inactive)
    blocks.unblock(user=inactive, by=None)
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        blocks.block(user=inactive, by=None, reason=BlockReason.INACTIVITY)
        assert confirm(api, link).status_code == 409


def test_staff_block_after_the_link_was_sent_stays(api, inactive, link_by_mail):
    link = link_by_mail("reactivation", inactive)
    blocks.block(user=inactive, by=None)
    response = confirm(api, link)
    assert (response.status_code, response.json()["code"]) == (409, "invalid_link")
    inactive.refresh_from_db()
    assert not inactive.is_active


@pytest.mark.parametrize("traits", [{}, {"blocked": True}, {"is_active": False}])
def test_nobody_else_gets_a_mail_and_the_answer_is_the_same(api, run_worker, traits):
    user = UserFactory.create(**traits)
    for email in (user.email, "nobody@school.example"):
        ask = {"email": email}
        response = run_worker(lambda ask=ask: api(None).post("auth/reactivation", ask))
        assert (response.status_code, response.content) == (202, b"")
    assert mail.outbox == []
    assert tasks.send_reactivation_mail(user.pk, "request") == {}


def test_link_of_a_password_lifts_no_block(api, inactive, link_by_mail):
    assert confirm(api, link_by_mail("password/reset", inactive)).status_code == 409


@pytest.mark.parametrize("uid", ["", "!!!", "é", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"])
def test_malformed_link_is_refused(api, inactive, uid):
    assert confirm(api, {"uid": uid, "token": "x"}).status_code == 409


def state(person):
    person.refresh_from_db()
    return person.is_active, person.blocked_at, person.blocked_reason, person.token_version


def test_staff_blocks_and_unblocks(clerk, learner, stranger):
    before = User.objects.values().get(pk=stranger.pk)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        now = timezone.now()
        assert blocks.block(user=learner, by=clerk) == learner
        assert state(learner) == (False, now, BlockReason.STAFF, 1)
        clock.shift(60)
        assert blocks.unblock(user=learner, by=clerk).is_active
        assert state(learner) == (True, None, "", 1)
        assert (learner.last_login, learner.inactivity_from) == (None, timezone.now())
        clock.shift(60)
        blocks.unblock(user=learner, by=clerk)
        learner.refresh_from_db()
        assert learner.inactivity_from == now + timedelta(seconds=60)  # nothing was to be done
    assert User.objects.values().get(pk=stranger.pk) == before


def test_block_by_staff_takes_the_place_of_one_for_inactivity(api, clerk, inactive):
    with time_machine.travel(timezone.now(), tick=False):
        blocks.block(user=inactive, by=clerk)
        assert state(inactive) == (False, timezone.now(), BlockReason.STAFF, 1)
        blocks.block(user=inactive, by=None, reason=BlockReason.INACTIVITY)
        assert state(inactive) == (False, timezone.now(), BlockReason.INACTIVITY, 2)


def test_services_go_by_the_row_and_not_by_what_was_read_before(clerk, learner):
    stale = User.objects.get(pk=learner.pk)
    User.objects.filter(pk=learner.pk).update(is_superuser=True, city="Perm")
    with pytest.raises(PermissionDenied):
        blocks.block(user=stale, by=clerk)
    User.objects.filter(pk=learner.pk).update(is_superuser=False)
    blocks.block(user=stale, by=clerk)
    learner.refresh_from_db()
    assert learner.city == "Perm"


def test_only_staff_with_the_permission_blocks(clerk, learner, stranger, moderator, administrator):
    other = UserFactory.create(is_superuser=True)
    for by, user in [
        (stranger, learner),
        (moderator, learner),
        (clerk, clerk),
        (clerk, administrator),
        (administrator, administrator),
    ]:
        with pytest.raises(PermissionDenied):
            blocks.block(user=user, by=by)
        with pytest.raises(PermissionDenied):
            blocks.unblock(user=user, by=by)
        user.refresh_from_db()
        assert user.is_active
    blocks.block(user=other, by=administrator)
    other.refresh_from_db()
    assert not other.is_active


@pytest.mark.parametrize("by_staff", [True, False])
def test_erased_account_stays_as_it_is(clerk, by_staff):
    erased = UserFactory.create(erased=True)
    before = state(erased)
    for change in (blocks.unblock, blocks.block):
        with pytest.raises(AccountErased):
            change(user=erased, by=clerk if by_staff else None)
    assert state(erased) == before
