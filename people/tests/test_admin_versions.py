"""The admin refuses to save a person or a group over somebody else's save."""

import re
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from people.models import User
from people.services import accounts
from people.tests.factories import UserFactory
from people.tests.test_admin import person_form
from project.tests.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


NO_MEMBERS = {"User_groups-TOTAL_FORMS": 0, "User_groups-INITIAL_FORMS": 0}


def opened(client: Any, name: str, row: Any) -> tuple[str, dict[str, str]]:
    address = reverse(f"admin:{name}_change", args=[row.pk])
    content = client.get(address).content.decode()
    (seen,) = re.findall(r'name="seen_version" value="([\w.]+)"', content)
    return address, {"seen_version": seen}


def is_refused(response: Any) -> bool:
    shown = response.content.decode() if response.status_code == 200 else ""
    return "Somebody has changed this since you opened the page" in shown


def test_a_person_is_not_saved_over_what_they_changed_themselves(client_of, administrator):
    person = UserFactory.create(city="Kazan")
    client = client_of(administrator)
    address, seen = opened(client, "people_user", person)
    accounts.update_profile(user=person, changes={"city": "Omsk"})
    refused = client.post(address, person_form(person, city="Riga") | seen)
    assert is_refused(refused)
    assert "Omsk" in refused.content.decode()
    assert refused.context["adminform"].form["city"].value() == "Riga"
    assert User.objects.get(pk=person.pk).city == "Omsk"
    _address, now = opened(client, "people_user", person)
    assert client.post(address, person_form(person, city="Riga") | now).status_code == 302
    assert User.objects.get(pk=person.pk).city == "Riga"


def test_a_person_who_logged_in_meanwhile_is_saved(client_of, administrator):
    person = UserFactory.create()
    client = client_of(administrator)
    address, seen = opened(client, "people_user", person)
    User.objects.filter(pk=person.pk).update(last_login="2030-01-01T00:00:00Z")
    assert client.post(address, person_form(person, city="Riga") | seen).status_code == 302


def test_rights_that_a_group_got_meanwhile_stay(client_of, administrator):
    group = Group.objects.create(name="Editors")
    right = Permission.objects.get(codename="view_course")
    client = client_of(administrator)
    address, seen = opened(client, "people_role", group)
    group.permissions.add(right)
    refused = client.post(address, {"name": "Writers"} | NO_MEMBERS | seen)
    assert is_refused(refused)
    assert "Saved now:" in refused.content.decode()
    group.refresh_from_db()
    assert (group.name, list(group.permissions.all())) == ("Editors", [right])


@pytest.mark.parametrize("kind", ["person", "group"])
def test_of_saves_of_one_version_at_once_one_wins(client_of, administrator, kind):
    other = UserFactory.create(is_staff=True, is_superuser=True)
    row: Any = UserFactory.create() if kind == "person" else Group.objects.create(name="Editors")
    name = "people_user" if kind == "person" else "people_role"
    address, seen = opened(client_of(administrator), name, row)
    acts = []
    for client, text in ((client_of(administrator), "One"), (client_of(other), "Two")):
        form = person_form(row, city=text) if kind == "person" else {"name": text} | NO_MEMBERS
        acts.append(partial(client.post, address, form | seen))
    answers = at_once(*acts, before_writing=type(row))
    assert sorted(answer.status_code for answer in answers) == [200, 302]
    assert sum(is_refused(answer) for answer in answers) == 1
