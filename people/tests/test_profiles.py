"""Profiles: what one sees of others, and of oneself."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from payments.tests.factories import PaymentFactory
from people.models import User
from people.services import blocks
from people.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

PUBLIC = {"id", "first_name", "city", "avatar", "date_joined"}
FULL = PUBLIC | {
    "email",
    "last_name",
    "phone",
    "language",
    "last_login",
    "is_email_reachable",
    "is_moderator",
    "is_administrator",
    "is_email_confirmed",
    "is_listed",
    "course_mails",
    "abilities",
    "payments",
    "payments_count",
}


def test_own_profile_is_whole_by_either_address(api, learner):
    by_me, by_id = api(learner).get("users/me"), api(learner).get(f"users/{learner.pk}")
    assert by_me.status_code == by_id.status_code == 200
    assert by_me.json() == by_id.json()
    assert set(by_me.json()) == FULL
    assert by_me.json()["email"] == learner.email


@pytest.mark.parametrize("who", ["stranger", "moderator", "administrator"])
def test_others_see_the_public_part_only(api, request, learner, who):
    response = api(request.getfixturevalue(who)).get(f"users/{learner.pk}")
    assert response.status_code == 200
    assert set(response.json()) == PUBLIC
    assert learner.email not in response.content.decode()


def test_profile_says_who_moderates(api, learner, moderator, administrator):
    said = [api(user).get("users/me").json()["is_moderator"] for user in (learner, moderator)]
    assert said == [False, True]
    changed = api(moderator).patch(f"users/{moderator.pk}", {"city": "Perm"})
    assert changed.json()["is_moderator"] is True
    assert api(administrator).get("users/me").json()["is_moderator"] is False


def test_profile_says_what_the_person_may_do(api, learner, moderator, administrator):
    profiles = [api(user).get("users/me").json() for user in (learner, moderator, administrator)]
    assert [profile["is_administrator"] for profile in profiles] == [False, False, True]
    assert [profile["abilities"] for profile in profiles] == [
        {"create_course": True, "moderate": False, "administer": False},
        {"create_course": False, "moderate": True, "administer": False},
        {"create_course": True, "moderate": True, "administer": True},
    ]
    # They are the answers of the operations.
    statuses = [
        api(user).post("courses", {"title": "Bread"}).status_code
        for user in (learner, moderator, administrator)
    ]
    assert statuses == [201, 403, 201]


def test_who_does_not_want_to_be_listed_is_read_but_not_found(api, learner, stranger):
    changed = api(stranger).patch(f"users/{stranger.pk}", {"is_listed": False})
    assert (changed.status_code, changed.json()["is_listed"]) == (200, False)
    for query in ("", f"?search={stranger.first_name}"):
        found = api(learner).get(f"users{query}").json()["items"]
        assert stranger.pk not in [person["id"] for person in found]
    public = api(learner).get(f"users/{stranger.pk}")
    assert (public.status_code, set(public.json())) == (200, PUBLIC)
    assert api(stranger).patch(f"users/{stranger.pk}", {"is_listed": None}).status_code == 422
    assert api(learner).patch(f"users/{stranger.pk}", {"is_listed": True}).status_code == 403
    api(stranger).patch(f"users/{stranger.pk}", {"is_listed": True})
    assert stranger.pk in [person["id"] for person in api(learner).get("users").json()["items"]]


def test_payments_are_the_own_ones_newest_first(api, learner, stranger):
    now = timezone.now()
    older = PaymentFactory.create(payer=learner, created_at=now - timedelta(days=1))
    newer = PaymentFactory.create(payer=learner, created_at=now)
    PaymentFactory.create(payer=stranger)
    payments = api(learner).get("users/me").json()["payments"]
    assert [payment["id"] for payment in payments] == [newer.pk, older.pk]
    assert {payment["user_id"] for payment in payments} == {learner.pk}


def test_of_many_payments_the_profile_shows_the_latest_twenty_and_their_number(
    api, learner, stranger, administrator
):
    payments = PaymentFactory.create_batch(22, payer=learner)
    PaymentFactory.create(payer=stranger)
    profile = api(learner).get("users/me").json()
    latest = sorted((payment.pk for payment in payments), reverse=True)[:20]
    assert [payment["id"] for payment in profile["payments"]] == latest
    assert profile["payments_count"] == 22
    assert profile["payments"][0] == api(learner).get(f"payments/{latest[0]}").json()
    # Administrators, who see all payments in the list, have only their own in the profile.
    assert api(administrator).get("users/me").json()["payments_count"] == 0


def test_texts_that_are_not_given_are_null(api, stranger, db):
    user = UserFactory.create(first_name="")
    own, public = api(user).get("users/me").json(), api(stranger).get(f"users/{user.pk}").json()
    for field in ("first_name", "last_name", "phone", "city", "avatar"):
        assert own[field] is None
    for field in ("first_name", "city", "avatar"):
        assert public[field] is None


def test_blocked_person_is_not_found_and_not_listed(api, learner, stranger):
    blocks.block(user=stranger, by=None)
    for send in (api(learner).get, api(learner).delete):
        assert send(f"users/{stranger.pk}").status_code == 404
    listed = api(learner).get("users").json()
    assert [person["id"] for person in listed["items"]] == [learner.pk]


@pytest.mark.parametrize("number", [0, 10**18, 10**30, "1" * 5000, "abc", "-1", "１"])
def test_impossible_numbers_are_not_found(api, learner, number):
    assert api(learner).get(f"users/{number}").status_code == 404


def test_list_has_public_profiles_in_order(api, learner):
    others = UserFactory.create_batch(3)
    body = api(learner).get("users").json()
    assert [person["id"] for person in body["items"]] == [learner.pk, *(o.pk for o in others)]
    assert {frozenset(person) for person in body["items"]} == {frozenset(PUBLIC)}
    assert (body["count"], body["page"], body["page_size"], body["pages"]) == (4, 1, 10, 1)
    second = api(learner).get("users?page=2&page_size=3").json()
    assert [person["id"] for person in second["items"]] == [others[2].pk]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("анна", ["Анна"]),
        ("КАЗ", ["Анна", "Boris"]),
        ("bor", ["Boris"]),
        ("50%", ["50%"]),
        ("_", []),
        ("petrova", []),
        ("school.example", []),
        (".*", []),
        ("'", []),
    ],
)
def test_search_looks_in_first_name_and_city_only(api, search, found):
    caller = UserFactory.create(first_name="Zoe")
    UserFactory.create(first_name="Анна", city="Казань", last_name="Petrova")
    UserFactory.create(first_name="Boris", city="казань", phone="+79161234567")
    UserFactory.create(first_name="50%", city="Perm")
    UserFactory.create(first_name="Боб", city="Казань", is_active=False)
    response = api(caller).get(f"users?{urlencode({'search': search})}")
    assert [person["first_name"] for person in response.json()["items"]] == found


@pytest.mark.parametrize("search", ["%00", "a" * 201])
def test_odd_search_is_refused(api, learner, search):
    assert api(learner).get(f"users?search={search}").status_code == 422


@pytest.mark.parametrize("count", [2, 20])
def test_queries_do_not_grow_with_the_rows(
    api, learner, stranger, count, django_assert_num_queries
):
    UserFactory.create_batch(count)
    with django_assert_num_queries(3):  # the caller; the count; the page
        assert api(learner).get(f"users?page_size={count}").json()["count"] == count + 2
    PaymentFactory.create_batch(count, payer=learner)
    PaymentFactory.create(payer=stranger)
    with django_assert_num_queries(4):  # the caller; the address; the payments; their number
        assert len(api(learner).get("users/me").json()["payments"]) == count
    with django_assert_num_queries(5):  # as before, and the person
        assert len(api(learner).get(f"users/{learner.pk}").json()["payments"]) == count
    with django_assert_num_queries(2):  # the caller; the person
        api(learner).get(f"users/{stranger.pk}")


def test_an_old_value_that_is_not_valid_any_more_hinders_no_change(api, learner):
    User.objects.filter(pk=learner.pk).update(phone="1234567")
    body = {"phone": "1234567", "city": "Perm"}
    assert api(learner).patch(f"users/{learner.pk}", body).status_code == 200
    learner.refresh_from_db()
    assert (learner.phone, learner.city) == ("1234567", "Perm")
    other = {"phone": "1234568", "city": "Omsk"}
    assert api(learner).patch(f"users/{learner.pk}", other).status_code == 422
    learner.refresh_from_db()
    assert (learner.phone, learner.city) == ("1234567", "Perm")


def test_person_changes_only_what_they_give(api, learner, stranger):
    others = User.objects.values().get(pk=stranger.pk)
    learner.city = "Perm"
    learner.save()
    body = {"first_name": "  Лев ", "phone": "+79161234567", "language": "ru"}
    response = api(learner).patch(f"users/{learner.pk}", body)
    assert response.status_code == 200
    learner.refresh_from_db()
    assert (learner.first_name, learner.phone, learner.language) == ("Лев", "+79161234567", "ru")
    assert learner.city == response.json()["city"] == "Perm"
    assert User.objects.values().get(pk=stranger.pk) == others
    assert set(response.json()) == FULL


@pytest.mark.parametrize("empty", [None, "", "   "])
def test_null_or_empty_removes_a_text(api, learner, empty):
    names = ("first_name", "last_name", "phone", "city")
    response = api(learner).patch(f"users/{learner.pk}", dict.fromkeys(names, empty))
    assert [response.json()[name] for name in names] == [None] * 4
    learner.refresh_from_db()
    assert [getattr(learner, name) for name in names] == [""] * 4


def test_empty_change_changes_nothing(api, learner):
    assert api(learner).patch(f"users/{learner.pk}", {}).status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phone", "123-45-67"),
        ("phone", "+" * 41),
        ("phone", 79161234567),
        ("first_name", "x" * 151),
        ("first_name", "a\x00b"),
        ("first_name", "\ud800"),
        ("first_name", ["Lev"]),
        ("city", "x" * 101),
        ("city", 10**30),
        ("language", "de"),
        ("language", None),
        ("language", ""),
        ("email", "other@school.example"),
        ("is_staff", True),
        ("avatar", "x.png"),
        ("password", "x"),
        ("id", 1),
        ("payments", []),
    ],
)
def test_bad_value_or_unknown_field_is_refused_by_name(api, learner, field, value):
    response = api(learner).patch(f"users/{learner.pk}", {field: value})
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"][:2] == ["body", field]
    before = User.objects.get(pk=learner.pk)
    assert getattr(before, "first_name", None) == learner.first_name


@pytest.mark.parametrize("body", ["[]", '"x"', "null", "7", "[" * 50_000, "{", "", "\ufeff{}"])
def test_body_that_is_no_object_is_refused(api, learner, body):
    response = api(learner).patch(f"users/{learner.pk}", body)
    assert response.status_code in {400, 422}, response.content


@pytest.mark.parametrize("who", ["stranger", "moderator", "administrator"])
def test_nobody_changes_or_erases_somebody_else(api, request, learner, who):
    user = request.getfixturevalue(who)
    for response in (
        api(user).patch(f"users/{learner.pk}", {"city": "Omsk"}),
        api(user).delete(f"users/{learner.pk}"),
    ):
        assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
    learner.refresh_from_db()
    assert learner.is_active
    assert learner.city == ""


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "users"),
        ("get", "users/me"),
        ("get", "users/1"),
        ("patch", "users/1"),
        ("delete", "users/1"),
        ("put", "users/me/avatar"),
        ("delete", "users/me/avatar"),
    ],
)
def test_nobody_gets_anything_without_a_token(api, learner, method, path):
    response = getattr(api(None), method)(path)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
