"""One rule, several doors: what holds for accounts in the API holds on the pages of the admin, for
one person and for many, and for the command that makes administrators."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from people.models import Invitation, Role, User
from people.models.users import moderators_group
from people.one_time_links import invitation_link
from people.services.invitations import invite
from people.services.staff import give_roles
from people.tests.factories import PASSWORD, UserFactory
from people.tests.test_admin import confirmed, page, person_form, reread

pytestmark = pytest.mark.django_db


def everything() -> list[Any]:
    """All accounts with their groups, and the number of mails."""
    members = User.groups.through.objects.order_by("pk")
    people = User.objects.order_by("pk").values()
    return [list(people), list(members.values()), len(mail.outbox)]


class Doors:
    """Ways to a new account, or to another e-mail or password of one; each says whether it
    refused."""

    def __init__(self, api: Any, client_of: Any, administrator: User, learner: User) -> None:
        self.api, self.client = api(None), client_of(administrator)
        self.learner = learner

    def registration(self, email: str, password: str) -> bool:
        response = self.api.post("auth/register", {"email": email, "password": password})
        return int(response.status_code) in {409, 422}

    def page_of_new_person(self, email: str, _password: str) -> bool:
        form = {"email": email, "first_name": "Nina", "language": "ru"}
        return int(self.client.post(page("add"), form).status_code) == 200

    def page_of_invitation(self, email: str, password: str) -> bool:
        visitor = Client()
        visitor.get(urlsplit(invitation_link(Invitation.objects.get(user__email=email))).path)
        form = {"new_password": password, "again": password}
        return int(visitor.post(reverse("admin_invitation"), form).status_code) == 200

    def page_of_person(self, email: str, _password: str) -> bool:
        form = person_form(self.learner, email=email)
        return int(self.client.post(page("change", self.learner.pk), form).status_code) == 200

    def page_of_password(self, _email: str, password: str) -> bool:
        address = reverse("admin:auth_user_password_change", args=[self.learner.pk])
        form = {"password1": password, "password2": password}
        return int(self.client.post(address, form).status_code) == 200

    def command(self, email: str, password: str) -> bool:
        try:
            call_command("csu", email=email, password=password)
        except CommandError:
            return True
        return False


@pytest.fixture
def doors(api, client_of, administrator, learner):
    UserFactory.create(email="taken@school.example")
    return Doors(api, client_of, administrator, learner)


NEW = ["registration", "command"]


@pytest.mark.parametrize("door", [*NEW, "page_of_new_person", "page_of_person"])
@pytest.mark.parametrize(
    "email", ["no mailbox", '"a b"@school.example', "a@erased.invalid", "TAKEN@school.example"]
)
def test_an_e_mail_that_is_none_or_taken_is_refused_at_every_door(doors, door, email):
    people = list(User.objects.order_by("pk").values("pk", "email"))
    assert getattr(doors, door)(email, PASSWORD)
    assert list(User.objects.order_by("pk").values("pk", "email")) == people
    assert not getattr(doors, door)("free@school.example", PASSWORD)
    assert User.objects.filter(email="free@school.example").exists()


@pytest.mark.parametrize("door", [*NEW, "page_of_password", "page_of_invitation"])
@pytest.mark.parametrize("password", ["a1b2c3", "password", "1234567890123", "free@school.example"])
def test_a_weak_password_is_refused_at_every_door(doors, administrator, door, password):
    if door == "page_of_password":
        User.objects.filter(pk=doors.learner.pk).update(email="free@school.example")
    if door == "page_of_invitation":
        invite(email="free@school.example", profile={}, by=administrator)
    people = list(User.objects.order_by("pk").values("pk", "password", "token_version"))
    assert getattr(doors, door)("free@school.example", password)
    assert list(User.objects.order_by("pk").values("pk", "password", "token_version")) == people


@pytest.mark.parametrize(
    ("field", "value"),
    [("phone", "123-45-67"), ("language", "de"), ("city", "x" * 101), ("first_name", "a\0b")],
)
def test_a_wrong_field_of_a_profile_is_refused_in_the_admin_too(
    client_of, support, learner, field, value
):
    client = client_of(support)
    before = everything()
    form = person_form(learner, **{field: value})
    response = client.post(page("change", learner.pk), form)
    assert list(response.context["adminform"].form.errors) == [field]
    assert everything() == before


# --- What staff do with people, one or many -----------------------------------------------------


@pytest.fixture
def people(administrator, moderator, learner, support):
    """By name; Sonja of the support asks, with every right on people but those to give rights."""
    rights = Permission.objects.filter(content_type__app_label="people")
    support.user_permissions.set(rights)
    return {
        "administrator": administrator,
        "blocked administrator": UserFactory.create(is_superuser=True, is_staff=True, blocked=True),
        "moderator": moderator,
        "colleague": UserFactory.create(is_staff=True),
        "learner": learner,
        "herself": support,
    }


MANY = {"block", "unblock", "password_reset", "give_roles", "take_roles"}
NOT_HERS = [
    ("block", "administrator"),
    ("block", "herself"),
    ("unblock", "blocked administrator"),
    *(("password_reset", whose) for whose in ("administrator", "moderator", "colleague")),
    *(("erase", whose) for whose in ("administrator", "moderator", "colleague", "herself")),
    ("give_roles", "learner"),
    ("take_roles", "moderator"),
]


@pytest.fixture
def does(run_worker):
    """Do something with one person by their page, or with many by the list, and let the worker do
    what is left to it; return the status."""

    def do(client: Any, name: str, *people: User, many: bool = False) -> int:
        roles = {"roles": list(Role.objects.filter(name="moderators").values_list("pk", flat=True))}
        form = {"action": f"{name}_many", "_selected_action": [one.pk for one in people]}
        address = page("changelist") if many else page(name, people[0].pk)
        return int(run_worker(lambda: client.post(address, form | confirmed() | roles)).status_code)

    return do


@pytest.mark.parametrize(("name", "whose"), NOT_HERS)
def test_what_is_not_for_the_support_is_done_by_no_door(
    client_of, support, people, does, name, whose
):
    client, person = client_of(support), people[whose]
    other = UserFactory.create(blocked=name == "unblock")
    before = everything()
    assert does(client, name, person) == 403
    if name in MANY:
        does(client, name, other, person, many=True)
    assert everything() == before


@pytest.mark.parametrize("right", ["view_user", "change_user"])
@pytest.mark.parametrize("name", ["block", "unblock", "password_reset", "erase"])
def test_each_of_it_is_a_right_of_its_own(client_of, support, does, name, right):
    """Who only looks at people does nothing with them; who changes them does not erase them."""
    support.user_permissions.set(Permission.objects.filter(codename__in=["view_user", right]))
    may = right == "change_user" and name != "erase"
    client = client_of(support)
    people = UserFactory.create_batch(3, blocked=name == "unblock")
    before = everything()
    assert does(client, name, people[0]) == (302 if may else 403)
    assert (everything() != before) is may
    before = everything()
    if name in MANY:
        does(client, name, *people[1:], many=True)
        assert (everything() != before) is may


@pytest.mark.parametrize("name", sorted(MANY))
def test_what_is_done_with_many_is_done_with_each_and_written_down(
    client_of, administrator, moderators, does, name
):
    people = UserFactory.create_batch(3, blocked=name == "unblock")
    if name == "take_roles":
        for person in people:
            give_roles(user=person, roles=[moderators_group()], by=administrator)
    *chosen, bystander = people
    before = User.objects.filter(pk=bystander.pk).values().get()
    does(client_of(administrator), name, *chosen, many=True)
    done = {
        "block": lambda person: not person.is_active,
        "unblock": lambda person: person.is_active,
        "give_roles": lambda person: person.is_moderator and person.is_staff,
        "take_roles": lambda person: not person.is_moderator and not person.is_staff,
        "password_reset": lambda person: [person.email] in [sent.to for sent in mail.outbox],
    }[name]
    assert [done(reread(person)) for person in people] == [True, True, False]
    assert User.objects.filter(pk=bystander.pk).values().get() == before
    entries = LogEntry.objects.values_list("object_id", "user")
    assert set(entries) == {(str(person.pk), administrator.pk) for person in chosen}
