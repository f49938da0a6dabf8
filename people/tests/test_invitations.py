"""Invitations: from the page of the admin, by the mail, to a password of one's own."""

import re
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from payments.tests.factories import PaymentFactory
from people.errors import InvalidLink, NotComeYet, NotInvited
from people.models import BlockReason, Invitation, Role, User
from people.services import blocks, invitations, staff
from people.tests.factories import PASSWORD, UserFactory
from project.tests.races import at_once

pytestmark = pytest.mark.django_db

OWN = {"new_password": "a password of my own", "again": "a password of my own"}
COLLEAGUE = {
    "email": "sonja@school.example",
    "first_name": "Sonja",
    "last_name": "Kim",
    "language": "en",
}


def page(name: str, *args: int) -> str:
    return reverse(f"admin:people_user_{name}", args=args)


def link_of(message: Any) -> str:
    (address,) = re.findall(rf"{settings.SITE_URL}/\S+", str(message.body))
    path: str = urlsplit(address).path
    return path


@pytest.fixture
def role(moderators: None) -> Role:
    return Role.objects.get(name="support")


@pytest.fixture
def helper(role: Role) -> User:
    """Somebody of the support."""
    user = UserFactory.create(is_staff=True)
    user.groups.add(role.pk)
    return user


@pytest.fixture
def invited(administrator, role, run_worker) -> User:
    fields = {"first_name": "Sonja", "language": "en"}
    user: User = run_worker(
        lambda: invitations.invite(
            email=COLLEAGUE["email"], profile=fields, roles=[role], by=administrator
        )
    )
    return user


def reread(person: User) -> User:
    user: User = User.objects.get(pk=person.pk)
    return user


def test_a_colleague_is_invited_comes_and_works(client_of, administrator, role, run_worker):
    admin = client_of(administrator)
    form = COLLEAGUE | {"roles": [role.pk]}
    response = run_worker(lambda: admin.post(page("invite_colleague"), form, follow=True))
    assert "An invitation was sent to sonja@school.example." in response.text
    colleague = User.objects.get(email="sonja@school.example")
    assert (colleague.first_name, colleague.last_name) == ("Sonja", "Kim")
    assert (colleague.is_staff, colleague.has_usable_password()) == (False, False)
    assert not colleague.groups.exists()
    (message,) = mail.outbox
    assert message.to == ["sonja@school.example"]
    assert "Hello, Sonja!" in message.body
    assert "Your role: Support." in message.body
    listed = admin.get(page("changelist"), {"state": "invited"})
    assert list(listed.context["cl"].result_list) == [colleague]

    client = Client()
    shown = client.get(link_of(message), follow=True)
    assert shown.redirect_chain == [(reverse("admin_invitation"), 302)]
    assert "You will log in with sonja@school.example." in shown.text
    done = client.post(reverse("admin_invitation"), OWN, follow=True)
    assert "You can log in now." in done.text
    assert f'href="{reverse("admin:login")}"' in done.text
    assert not colleague.is_email_confirmed
    colleague = reread(colleague)
    assert colleague.is_email_confirmed  # nobody else could read the link
    assert colleague.is_staff
    assert list(colleague.groups.values_list("name", flat=True)) == ["support"]
    login = {"username": colleague.email, "password": OWN["new_password"]}
    assert client.post(reverse("admin:login"), login).status_code == 302
    assert client.get(page("changelist")).status_code == 200
    listed = admin.get(page("changelist"), {"state": "invited"})
    assert list(listed.context["cl"].result_list) == []


def test_a_person_is_added_without_a_password_that_somebody_invents(
    client_of, helper, run_worker, api
):
    """By the support, too; such a person has no role."""
    client = client_of(helper)
    assert "password" not in client.get(page("add")).context["adminform"].form.fields
    run_worker(lambda: client.post(page("add"), COLLEAGUE | {"language": "ru", "roles": ["1"]}))
    person = User.objects.get(email=COLLEAGUE["email"])
    assert not person.invitation.roles.exists()
    assert "Здравствуйте, Sonja!" in mail.outbox[0].body
    visitor = Client()
    visitor.get(link_of(mail.outbox[0]))
    done = visitor.post(reverse("admin_invitation"), OWN, follow=True)
    assert "You can log in to" in done.text
    again = visitor.get(link_of(mail.outbox[0]), follow=True)
    for shown in (done, again):
        assert 'href="https://school.example/login"' in shown.text
    assert not reread(person).is_staff
    login = {"email": person.email, "password": OWN["new_password"]}
    assert api(None).post("auth/token", login).status_code == 200


def test_the_link_works_once(invited, client):
    link = link_of(mail.outbox[0])
    client.get(link)
    client.post(reverse("admin_invitation"), OWN)
    kept = reread(invited).password
    again = client.get(link, follow=True)
    assert again.status_code == 409
    assert "You have already accepted this invitation" in again.text
    other = {"new_password": "quite another one", "again": "quite another one"}
    assert client.post(reverse("admin_invitation"), other).status_code == 409
    assert reread(invited).password == kept


def test_an_expired_link_says_whom_to_ask(invited, administrator, client, time_machine):
    link = link_of(mail.outbox[0])
    time_machine.move_to(timezone.now() + settings.INVITATION_LIFETIME - timedelta(minutes=1))
    assert client.get(link, follow=True).status_code == 200
    time_machine.move_to(timezone.now() + timedelta(minutes=2))
    late = client.get(link, follow=True)
    assert late.status_code == 409
    assert "This invitation has expired" in late.text
    assert administrator.email in late.text
    assert client.post(reverse("admin_invitation"), OWN).status_code == 409
    assert not reread(invited).has_usable_password()
    assert not reread(invited).is_staff


def test_who_is_invited_again_comes_by_the_new_link_only(
    invited, administrator, client_of, client, run_worker, time_machine
):
    time_machine.move_to(timezone.now() + settings.INVITATION_LIFETIME + timedelta(days=1))
    admin = client_of(administrator)
    assert "invitation expired" in admin.get(page("changelist")).text
    run_worker(lambda: admin.post(page("invite_again", invited.pk)))
    first, second = map(link_of, mail.outbox)
    assert client.get(first, follow=True).status_code == 409
    assert client.get(second, follow=True).status_code == 200
    client.post(reverse("admin_invitation"), OWN)
    assert reread(invited).is_staff
    assert "Invite again" in LogEntry.objects.get().get_change_message()
    assert page("invite_again", invited.pk) not in admin.get(page("change", invited.pk)).text


def test_a_withdrawn_invitation_leaves_no_account_and_a_free_address(
    invited, administrator, client_of, client, run_worker
):
    link = link_of(mail.outbox[0])
    admin = client_of(administrator)
    admin.post(page("withdraw", invited.pk))
    assert not User.objects.filter(pk=invited.pk).exists()
    shown = client.get(link, follow=True)
    assert shown.status_code == 409
    assert "ask an administrator of the school" in shown.text
    run_worker(lambda: admin.post(page("add"), COLLEAGUE))
    assert User.objects.filter(email=COLLEAGUE["email"]).exists()


def test_a_payment_that_was_entered_keeps_the_account_of_a_withdrawn_invitation(
    invited, administrator
):
    PaymentFactory.create(payer=invited)
    invitations.withdraw(user=invited, by=administrator)
    assert not reread(invited).is_awaited
    assert not Invitation.objects.exists()


def test_mail_that_waits_is_not_sent_after_the_invitation_was_withdrawn(administrator, run_worker):
    def invite_and_withdraw() -> None:
        user = invitations.invite(
            email=COLLEAGUE["email"], profile={"first_name": "Sonja"}, by=administrator
        )
        PaymentFactory.create(payer=user)
        invitations.withdraw(user=user, by=administrator)

    run_worker(invite_and_withdraw)
    assert mail.outbox == []


def test_who_has_an_account_is_offered_the_role(client_of, administrator, learner, role):
    client = client_of(administrator)
    form = COLLEAGUE | {"email": learner.email.upper(), "roles": [role.pk]}
    response = client.post(page("invite_colleague"), form)
    errors = str(response.context["adminform"].form.errors["email"])
    assert "An account with this email already exists." in errors
    offered = f"{page('give_roles', learner.pk)}?roles={role.pk}"
    assert offered in errors
    asked = client.get(offered)
    assert asked.context["form"]["roles"].value() == [str(role.pk)]
    client.post(page("give_roles", learner.pk), {"roles": [role.pk]})
    assert reread(learner).is_staff
    assert mail.outbox == []


def test_who_is_invited_already_is_not_invited_twice(client_of, administrator, invited, role):
    form = COLLEAGUE | {"roles": [role.pk]}
    response = client_of(administrator).post(page("invite_colleague"), form)
    assert "They have been invited but haven&#x27;t accepted yet." in response.text
    assert User.objects.filter(email=invited.email).count() == 1


def test_roles_wait_for_the_invitation_and_come_by_no_other_way(
    invited, administrator, api, run_worker, client, time_machine
):
    """An invitation that is over is not made good by a new password."""
    with pytest.raises(NotComeYet):
        staff.give_roles(user=invited, roles=[], by=administrator)
    time_machine.move_to(timezone.now() + settings.INVITATION_LIFETIME)
    run_worker(lambda: api(None).post("auth/password/reset", {"email": invited.email}))
    uid, token = re.findall(r"/password-reset/([^/\s]+)/(\S+)", str(mail.outbox[1].body))[0]
    body = {"uid": uid, "token": token, "new_password": "a password of my own"}
    assert api(None).post("auth/password/reset/confirm", body).status_code == 204
    assert not reread(invited).is_staff
    assert not reread(invited).groups.exists()
    assert client.get(link_of(mail.outbox[0]), follow=True).status_code == 409


def come_by_a_new_password(person, api, run_worker):
    run_worker(lambda: api(None).post("auth/password/reset", {"email": person.email}))
    body = str(mail.outbox[-1].body)
    uid, token = re.findall(r"/password-reset/([^/\s]+)/(\S+)", body)[0]
    link = {"uid": uid, "token": token, "new_password": "a password of my own"}
    assert api(None).post("auth/password/reset/confirm", link).status_code == 204


def test_an_invitation_to_a_role_is_withdrawn_from_who_has_a_new_password_already(
    invited, administrator, api, run_worker, client, client_of
):
    link = link_of(mail.outbox[0])
    come_by_a_new_password(invited, api, run_worker)
    admin = client_of(administrator)
    assert page("withdraw", invited.pk) in admin.get(page("change", invited.pk)).text
    admin.post(page("withdraw", invited.pk))
    assert client.get(link, follow=True).status_code == 409
    assert reread(invited).has_usable_password(), "somebody's account"


def test_who_has_a_new_password_gets_the_roles_by_the_invitation_only(
    invited, administrator, api, run_worker, client
):
    come_by_a_new_password(invited, api, run_worker)
    with pytest.raises(NotComeYet):
        staff.give_roles(user=invited, roles=[], by=administrator)
    client.get(link_of(mail.outbox[0]))
    assert client.post(reverse("admin_invitation"), OWN).status_code == 302
    assert reread(invited).groups.exists()


def test_who_is_added_without_roles_has_come_by_a_new_password(
    administrator, api, run_worker, client
):
    person = run_worker(
        lambda: invitations.invite(email=COLLEAGUE["email"], profile={}, by=administrator)
    )
    link = link_of(mail.outbox[0])
    come_by_a_new_password(person, api, run_worker)
    assert not reread(person).is_awaited
    assert "already joined" in client.get(link, follow=True).text


def test_who_waits_for_a_role_is_looked_after_by_administrators_only(client_of, helper, invited):
    """With their address comes the role."""
    client = client_of(helper)
    assert client.post(page("change", invited.pk), {"email": helper.email}).status_code == 403
    assert client.post(page("password_reset", invited.pk)).status_code == 403
    password = reverse("admin:auth_user_password_change", args=[invited.pk])
    assert client.post(password, {"password1": PASSWORD, "password2": PASSWORD}).status_code == 403


def test_roles_are_gone_when_who_gave_them_may_no_longer_give_any(invited, administrator, client):
    other = UserFactory.create(is_staff=True, is_superuser=True)
    staff.update_account(user=administrator, by=other, changes={"is_superuser": False})
    assert client.get(link_of(mail.outbox[0]), follow=True).status_code == 409
    assert client.post(reverse("admin_invitation"), OWN).status_code == 409
    assert not reread(invited).is_staff


@pytest.mark.parametrize("change", ["another email", "blocked by staff", "erased"])
def test_the_link_ends_with_what_it_was_sent_for(invited, administrator, client, change):
    if change == "another email":
        staff.update_account(
            user=invited, by=administrator, changes={"email": "other@school.example"}
        )
    else:
        reason = BlockReason.ERASED if change == "erased" else BlockReason.STAFF
        blocks.block(user=invited, by=administrator, reason=reason)
    assert client.get(link_of(mail.outbox[0]), follow=True).status_code == 409


def test_who_was_blocked_for_inactivity_before_they_came_gets_in(invited, client, api):
    blocks.block(user=invited, by=None, reason=BlockReason.INACTIVITY)
    client.get(link_of(mail.outbox[0]))
    assert client.post(reverse("admin_invitation"), OWN).status_code == 302
    login = {"email": invited.email, "password": OWN["new_password"]}
    assert api(None).post("auth/token", login).status_code == 200


def test_a_weak_password_or_a_typo_leaves_the_link_good(invited, client):
    client.get(link_of(mail.outbox[0]))
    for new, again in (("password", "password"), ("a password of my own", "a pasword of my own")):
        form = {"new_password": new, "again": again}
        response = client.post(reverse("admin_invitation"), form)
        assert response.context["form"].errors
        assert not reread(invited).has_usable_password()
    assert client.post(reverse("admin_invitation"), OWN).status_code == 302


def test_only_administrators_invite_to_roles(client_of, helper, role, administrator, invited):
    client = client_of(helper)
    form = COLLEAGUE | {"email": "friend@school.example", "roles": [role.pk]}
    assert client.get(page("invite_colleague")).status_code == 403
    assert client.post(page("invite_colleague"), form).status_code == 403
    assert client.post(page("invite_again", invited.pk)).status_code == 403
    assert client.post(page("withdraw", invited.pk)).status_code == 403
    assert "Invite a colleague" not in client.get(page("changelist")).text
    assert "Invite a colleague" in client_of(administrator).get(page("changelist")).text
    assert not User.objects.filter(email="friend@school.example").exists()


def test_who_may_not_add_people_adds_nobody(client_of, support):
    client = client_of(support)
    assert client.get(page("add")).status_code == 403
    assert client.post(page("add"), COLLEAGUE).status_code == 403
    assert page("add") not in client.get(page("changelist")).text


def test_the_page_of_who_is_awaited_says_by_whom_and_offers_no_password_reset(
    client_of, administrator, invited
):
    text = client_of(administrator).get(page("change", invited.pk)).text
    assert "roles: Support" in text
    assert f"invited by {administrator}" in text
    assert reverse("admin:auth_user_password_change", args=[invited.pk]) not in text
    assert "../password/" not in text
    offers = {"invite_again": 1, "withdraw": 1, "password_reset": 0, "send_confirmation": 0}
    for name, offered in offers.items():
        path = page(name, invited.pk)
        assert (path in text) == bool(offered), name


def test_invited_people_are_invited_once_more_from_the_list(
    client_of, administrator, invited, learner, run_worker
):
    form = {"action": "invite_again_many", "_selected_action": [invited.pk, learner.pk]}
    client = client_of(administrator)
    run_worker(lambda: client.post(page("changelist"), form | {"confirm": "1"}))
    assert [message.to for message in mail.outbox] == [[invited.email]] * 2


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_new_person_is_written_to_in_the_language_of_who_adds_them(
    client_of, administrator, language
):
    administrator.language = language
    administrator.save()
    response = client_of(administrator).get(page("invite_colleague"))
    assert response.context["adminform"].form["language"].value() == language


def test_password_of_a_page_is_kept_as_everywhere(invited, client):
    client.get(link_of(mail.outbox[0]))
    client.post(reverse("admin_invitation"), OWN)
    assert reread(invited).check_password(OWN["new_password"])
    assert not reread(invited).check_password(PASSWORD)


@pytest.mark.django_db(transaction=True)
def test_a_link_that_is_used_twice_at_once_lets_one_in(invited):
    uid, token = link_of(mail.outbox[0]).split("/")[3:5]
    tries = [
        partial(invitations.accept, uid=uid, token=token, new_password=f"password of {who}")
        for who in ("the one", "the other")
    ]
    outcomes = at_once(*tries, before_writing=User, refused=(InvalidLink,))
    assert [type(outcome) for outcome in outcomes].count(InvalidLink) == 1


@pytest.mark.django_db(transaction=True)
def test_who_comes_while_the_invitation_is_withdrawn_is_in_or_not(invited, administrator):
    uid, token = link_of(mail.outbox[0]).split("/")[3:5]
    outcomes = at_once(
        partial(invitations.withdraw, user=invited, by=administrator),
        partial(invitations.accept, uid=uid, token=token, new_password="a password of my own"),
        before_writing=User,
        refused=(InvalidLink, NotInvited),
    )
    assert sum(isinstance(outcome, InvalidLink | NotInvited) for outcome in outcomes) == 1
    assert User.objects.filter(pk=invited.pk).exists() == isinstance(outcomes[0], NotInvited)
