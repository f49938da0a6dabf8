"""Who may do what to whom: each function of the policy, with people of every kind."""

import pytest
from django.contrib.auth.models import Permission

from people import permissions
from people.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

KINDS = {
    "learner": {},
    "stranger": {},
    "staff": {"is_staff": True},
    "clerk": {"is_staff": True},  # may change people
    "registrar": {"is_staff": True},  # may change and delete them
    "shredder": {"is_staff": True},  # may delete them, but not change them
    "suspended": {"is_staff": True, "blocked": True},  # had all these rights
    "administrator": {"is_staff": True, "is_superuser": True},
    "second": {"is_superuser": True},  # an administrator who does not work in the admin
    "former": {"is_superuser": True, "blocked": True},
}
RIGHTS = {
    "clerk": ["change_user"],
    "registrar": ["change_user", "delete_user"],
    "shredder": ["delete_user"],
    "suspended": ["change_user", "delete_user"],
}
ADMINISTRATORS = {"administrator", "second"}
EVERYBODY = set(KINDS)
NO_ADMINISTRATORS = EVERYBODY - {"administrator", "second", "former"}
NO_STAFF = {"learner", "stranger"}


@pytest.fixture
def people(db):
    found = {name: UserFactory.create(**traits) for name, traits in KINDS.items()}
    for name, rights in RIGHTS.items():
        found[name].user_permissions.set(Permission.objects.filter(codename__in=rights))
    return found


@pytest.mark.parametrize(
    ("may", "whom"),
    [
        (permissions.can_read_in_full, {name: {name} for name in KINDS}),
        (permissions.can_change_profile, {name: {name} for name in KINDS}),
        (
            permissions.can_block,
            {name: NO_ADMINISTRATORS - {name} for name in ("clerk", "registrar")}
            | {name: EVERYBODY - {name} for name in ADMINISTRATORS},
        ),
        (
            permissions.can_manage,
            {name: NO_STAFF for name in ("clerk", "registrar")}
            | dict.fromkeys(ADMINISTRATORS, EVERYBODY),
        ),
        (
            permissions.can_erase,
            {"registrar": NO_STAFF} | {name: EVERYBODY - {name} for name in ADMINISTRATORS},
        ),
    ],
)
def test_the_policy_of_accounts(people, may, whom):
    allowed = {
        by: {of for of in KINDS if may(people[by], people[of])}
        for by in KINDS
        if any(may(people[by], person) for person in people.values())
    }
    assert allowed == whom


def test_only_active_administrators_give_rights(people):
    assert {name for name in KINDS if permissions.can_give_rights(people[name])} == ADMINISTRATORS
