"""Roles: those that are ready, those of a school, and who belongs to them."""

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.urls import reverse

from people.models import Role, User
from people.tests.factories import UserFactory

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

NO_MEMBERS = {"User_groups-TOTAL_FORMS": 0, "User_groups-INITIAL_FORMS": 0}


def load() -> None:
    call_command("loaddata", "groups", verbosity=0)


@pytest.fixture
def role(moderators: None) -> Role:
    return Role.objects.get(name="support")


def page(name: str, *args: int) -> str:
    return reverse(f"admin:people_role_{name}", args=args)


def rights_of(role: Group) -> set[str]:
    return set(role.permissions.values_list("codename", flat=True))


def test_ready_roles_are_described_and_have_the_rights_of_the_fixture(settings):
    load()
    fixture = json.loads((settings.BASE_DIR / "fixtures/groups.json").read_text())
    rights = {
        entry["fields"]["name"]: {right[0] for right in entry["fields"]["permissions"]}
        for entry in fixture
    }
    assert {role.name: rights_of(role) for role in Role.objects.all()} == rights
    assert all(role.is_ready and role.may and role.may_not for role in Role.objects.all())


def test_loading_the_fixture_again_sets_rights_anew_and_keeps_members_and_own_roles(learner):
    load()
    role = Role.objects.get(name="support")
    before = rights_of(role)
    role.user_set.add(learner)
    role.permissions.set(Permission.objects.filter(codename="delete_user"))
    own = Group.objects.create(name="Front desk")
    own.permissions.set(Permission.objects.filter(codename="view_user"))
    load()
    assert rights_of(role) == before
    assert list(role.user_set.all()) == [learner]
    assert rights_of(own) == {"view_user"}


def test_page_of_a_role_says_what_its_members_do_and_who_they_are(client_of, administrator, role):
    member, other = UserFactory.create_batch(2)
    role.user_set.add(member)
    text = client_of(administrator).get(page("change", role.pk)).text
    assert role.may in text
    assert role.may_not.replace("'", "&#x27;") in text
    assert reverse("admin:people_user_change", args=[member.pk]) in text
    assert member.email in text
    assert other.email not in text


def test_members_are_added_and_removed_on_the_page_of_the_role(client_of, administrator, role):
    new = UserFactory.create_batch(2)
    client = client_of(administrator)
    client.post(page("add_members", role.pk), {"people": [person.pk for person in new]})
    assert set(role.user_set.filter(is_staff=True)) == set(new)
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user) == (str(role.pk), administrator)
    assert str(new[0]) in entry.get_change_message()
    client.post(page("remove_members", role.pk), {"people": [new[0].pk]})
    assert list(role.user_set.all()) == [new[1]]
    assert not User.objects.get(pk=new[0].pk).is_staff


def test_only_members_are_offered_to_be_removed_and_nobody_who_is_erased_to_be_added(
    client_of, administrator, role, learner
):
    erased = UserFactory.create(erased=True)
    client = client_of(administrator)
    for name, person in (("remove_members", learner), ("add_members", erased)):
        role.user_set.set([administrator])
        response = client.post(page(name, role.pk), {"people": [person.pk]})
        assert "people" in response.context["form"].errors
        assert list(role.user_set.all()) == [administrator]
    found = client.get(page("people"), {"term": erased.email}).json()["results"]
    assert found == []


def test_a_person_is_given_roles_and_only_roles_they_have_are_taken(
    client_of, administrator, role, learner
):
    other = Role.objects.get(name="accountants")
    client = client_of(administrator)
    address = reverse("admin:people_user_give_roles", args=[learner.pk])
    asked = client.get(address, {"roles": [role.pk, other.pk]})
    assert asked.context["form"]["roles"].value() == [str(role.pk), str(other.pk)]
    client.post(address, {"roles": [role.pk]})
    assert set(learner.groups.all()) == {Group.objects.get(pk=role.pk)}
    assert "Support" in LogEntry.objects.get().get_change_message()
    address = reverse("admin:people_user_take_roles", args=[learner.pk])
    assert "roles" in client.post(address, {"roles": [other.pk]}).context["form"].errors
    client.post(address, {"roles": [role.pk]})
    assert not User.objects.get(pk=learner.pk).is_staff


def test_the_list_of_people_says_roles_and_finds_by_them(client_of, administrator, role, learner):
    role.user_set.add(learner)
    client = client_of(administrator)
    address = reverse("admin:people_user_changelist")
    response = client.get(address, {"role": role.pk})
    assert list(response.context["cl"].result_list) == [learner]
    assert "Support" in response.text
    assert client.get(address, {"role": "9" * 30}).status_code == 200


@pytest.mark.parametrize("rights", ["of support", "all of them"])
def test_nobody_but_administrators_gives_rights(client_of, role, learner, rights):
    """Not even with every right that Django knows."""
    member = UserFactory.create(is_staff=True)
    role.user_set.add(member)
    if rights == "all of them":
        member.user_permissions.set(Permission.objects.all())
    client = client_of(member)
    before = rights_of(role)
    posts: list[tuple[str, dict[str, Any]]] = [
        (page("add"), {"name": "Mine"} | NO_MEMBERS),
        (page("change", role.pk), {"permissions": []} | NO_MEMBERS),
        (page("delete", role.pk), {"post": "yes"}),
        (page("add_members", role.pk), {"people": [learner.pk]}),
        (page("remove_members", role.pk), {"people": [member.pk]}),
        (reverse("admin:people_user_give_roles", args=[learner.pk]), {"roles": [role.pk]}),
        (reverse("admin:people_user_take_roles", args=[member.pk]), {"roles": [role.pk]}),
    ]
    for address, form in posts:
        assert client.get(address).status_code == 403, address
        assert client.post(address, form).status_code == 403, address
    for address in (page("changelist"), page("history", role.pk), page("people")):
        assert client.get(address).status_code == 403, address
    assert rights_of(role) == before
    assert list(role.user_set.all()) == [member]
    assert Group.objects.count() == 4


def test_ready_roles_are_neither_renamed_nor_deleted_but_their_rights_change(
    client_of, administrator, role
):
    client = client_of(administrator)
    right = Permission.objects.get(codename="view_payment")
    client.post(page("change", role.pk), {"name": "x", "permissions": [right.pk]} | NO_MEMBERS)
    assert client.post(page("delete", role.pk), {"post": "yes"}).status_code == 403
    role.refresh_from_db()
    assert role.name == "support"
    assert rights_of(role) == {"view_payment"}


def test_a_school_makes_renames_and_deletes_a_role_of_its_own(client_of, administrator, role):
    client = client_of(administrator)
    right = Permission.objects.get(codename="view_payment")
    form = {"name": "Bookkeepers", "permissions": [right.pk]}
    client.post(page("add"), form)
    own = Role.objects.get(name="Bookkeepers")
    assert rights_of(own) == {"view_payment"}
    taken = client.post(page("add"), {"name": "SUPPORT"})
    assert "name" in taken.context["adminform"].form.errors
    client.post(page("change", own.pk), form | {"name": "Cashiers"} | NO_MEMBERS)
    own.refresh_from_db()
    assert own.name == "Cashiers"
    client.post(page("delete", own.pk), {"post": "yes"})
    assert not Role.objects.filter(pk=own.pk).exists()


def test_roles_are_found_by_their_name_in_the_language_of_the_reader(
    client_of, administrator, role
):
    for language, text in (("en", "SUPP"), ("ru", "поддержк"), ("ru", "support")):
        client = client_of(administrator)
        client.post(reverse("set_language"), {"language": language})
        found = client.get(page("changelist"), {"q": text})
        assert list(found.context["cl"].result_list) == [role], text


@pytest.mark.parametrize("number", [2, 20])
def test_queries_for_the_page_do_not_grow(
    client_of, administrator, role, number, django_assert_num_queries
):
    role.user_set.set(UserFactory.create_batch(number))
    client = client_of(administrator)
    client.get(page("change", role.pk))
    # 1 session, 2 administrator, 3 their log-in, 4 role and 5 members for the buttons, 6 role, 7 its
    # rights, 8 the same for the version, 9 number and 10 first rows of members, 11 rights to choose
    # from, 12 and 13 the numbers of both for the head.
    with django_assert_num_queries(13):
        client.get(page("change", role.pk))
