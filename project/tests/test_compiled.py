"""Queries that are compiled once for all: for whom, on what they may depend, how they count."""

from collections.abc import Iterator
from functools import partial
from itertools import product
from math import inf
from typing import Any

import pytest
from django.core.exceptions import FieldFetchBlocked
from django.db import connection
from django.db.backends.signals import connection_created
from django.db.models.functions import Length
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from lms import queries
from lms.models import Course, Subscription
from lms.models.visibility import sees_all_content
from lms.tests.factories import CourseFactory
from people.models import User
from people.tests.factories import UserFactory
from project.common.db import counting
from project.common.db.compiled import (
    VIEWER,
    CompiledQuery,
    NotFixed,
    Role,
    placeholder_user,
    role_of,
)
from project.common.db.counting import count_rows, planned_rows

ROLES = [Role(*flags) for flags in product([False, True], repeat=2)]
OUTSIDE_THE_ROLE = [
    field.attname
    for field in User._meta.concrete_fields
    if field.attname not in {"id", "is_superuser"}
]
ON_POSTGRESQL = connection.vendor == "postgresql"
asks_the_planner = pytest.mark.skipif(not ON_POSTGRESQL, reason="SQLite has no planner to ask")


@pytest.fixture
def anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is compiled or counted yet, and nothing of it stays."""
    monkeypatch.setattr(counting, "_estimates", {})
    queries._courses.cache_clear()
    yield
    queries._courses.cache_clear()


# --- On what they may depend ----------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_of_a_person_the_role_is_known_and_nothing_else(role: Role) -> None:
    person = placeholder_user(role)
    assert role_of(person) == role
    assert (person.pk, person.id) == (VIEWER, VIEWER)
    assert len(OUTSIDE_THE_ROLE) > 10
    for name in OUTSIDE_THE_ROLE:
        with pytest.raises(FieldFetchBlocked, match=name):
            getattr(person, name)


@pytest.mark.django_db
@pytest.mark.usefixtures("anew")
@pytest.mark.parametrize(
    ("rule", "error"),
    [
        (lambda user: user.is_staff, FieldFetchBlocked),
        (lambda user: user.has_perm("lms.change_course"), FieldFetchBlocked),
        (lambda user: user.last_seen > timezone.now(), FieldFetchBlocked),
        (lambda user: user.groups.exists(), NotFixed),
        (lambda user: Course.objects.filter(owner=user).exists(), NotFixed),
    ],
    ids=["column", "right", "property", "their groups", "any question"],
)
def test_a_rule_that_looks_at_more_than_the_role_is_not_compiled(
    author: User, monkeypatch: pytest.MonkeyPatch, rule: Any, error: type[Exception]
) -> None:
    """It would be answered once, for everybody of the role."""
    monkeypatch.setattr(
        "lms.models.visibility.sees_all_content", lambda user: sees_all_content(user) or rule(user)
    )
    with pytest.raises(error):
        queries.list_courses(author, search="", ordering="title")
    monkeypatch.undo()
    assert queries.list_courses(author, search="", ordering="title")[:10] == []


@pytest.mark.parametrize(
    ("lookup", "value"), [("gt", timezone.now), ("date", timezone.localdate)], ids=["moment", "day"]
)
def test_a_rule_with_the_time_in_it_is_not_compiled(lookup: str, value: Any) -> None:
    with pytest.raises(NotFixed, match="time"):
        CompiledQuery(Course.objects.filter(**{f"updated_at__{lookup}": value()}), "id")


# --- Whose values ---------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_who_is_answered_while_another_waits_for_the_database_is_not_taken_for_them(
    api: Any, learner: User, stranger: User
) -> None:
    """The values of one run are nobody else's: the statement is the same one for all."""
    answers = []

    def answer_another(**signal: Any) -> None:
        connection_created.disconnect(answer_another)
        answers.append(api(stranger).get("users/me").json()["id"])

    api(learner).get("users/me")  # compiled
    connection.close()
    connection_created.connect(answer_another)
    answers.append(api(learner).get("users/me").json()["id"])
    assert answers == [stranger.pk, learner.pk]


@pytest.mark.django_db
def test_a_list_is_sliced_like_a_queryset(author: User) -> None:
    CourseFactory.create_batch(5, owner=author)
    rows = queries.list_courses(author, search="", ordering="created_at")
    ids = list(Course.objects.order_by("pk").values_list("pk", flat=True))
    assert [row["id"] for row in rows[:2]] == ids[:2]
    assert [row["id"] for row in rows[2:4]] == ids[2:4]
    assert rows.count() == 5


# --- How many there are ---------------------------------------------------------------------------


def ask(client: Any, path: str) -> tuple[int, int]:
    """The count of a page, and how many queries the answer took."""
    with CaptureQueriesContext(connection) as captured:
        body = client.get(path).json()
    return body["count"], len(captured)


def analyze() -> None:
    """Tell the planner what the tables hold now."""
    if ON_POSTGRESQL:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE people_user, lms_course")


@pytest.mark.django_db
@pytest.mark.usefixtures("anew")
@pytest.mark.parametrize("path", ["courses", "users"])
def test_a_long_list_is_counted_by_the_planner_if_there_is_one_once_a_minute(
    api: Any, moderator: User, monkeypatch: pytest.MonkeyPatch, ticks: Any, path: str
) -> None:
    monkeypatch.setattr(counting, "COUNTED", 6)
    client, page = api(moderator), f"{path}?page_size=2"
    # The caller, the page (the lessons of its courses); then the count, then the estimate.
    others = 3 if path == "courses" else 2
    add: Any = UserFactory.create
    if path == "courses":
        add = partial(CourseFactory.create, owner=moderator)
    for _row in range(6 if path == "courses" else 5):
        add()
    analyze()
    for _time in range(2):
        assert ask(client, page) == (6, others + 1)
    add()
    analyze()
    assert ask(client, page) == (7, others + 1 + ON_POSTGRESQL)
    add()
    analyze()
    ticks.now += 59.9
    assert ask(client, page) == ((7, others) if ON_POSTGRESQL else (8, others + 1))
    ticks.now += 0.1
    assert ask(client, page) == (8, others + 1 + ON_POSTGRESQL)


@pytest.mark.django_db
@pytest.mark.usefixtures("anew")
def test_what_was_counted_of_one_list_is_not_told_of_another(
    api: Any, author: User, learner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "COUNTED", 4)
    CourseFactory.create_batch(8, owner=author)
    CourseFactory.create_batch(3, owner=learner)
    UserFactory.create_batch(6, city="Kazan")
    UserFactory.create_batch(2, city="Perm")
    for client, path, count in [
        (api(author), "courses", None),
        (api(learner), "courses", 3),
        (api(author), "users?search=Kazan", None),
        (api(author), "users?search=Perm", 2),
    ]:
        found, _queries = ask(client, f"{path}{'&' if '?' in path else '?'}page_size=1")
        assert found == count if count else found > 4
    assert count_rows(User.objects.all()) > 4
    assert count_rows(Subscription.objects.all()) == 0


@pytest.mark.django_db
def test_a_list_of_nothing_has_no_rows() -> None:
    nobody = User.objects.filter(pk__in=[])
    assert (count_rows(nobody), planned_rows(nobody)) == (0, 0)


@pytest.mark.django_db
@pytest.mark.usefixtures("anew")
def test_a_page_behind_the_end_is_not_looked_for(api: Any, author: User) -> None:
    CourseFactory.create_batch(4, owner=author)
    # The caller and the count; for a page with something on it, the page and the lessons too.
    assert ask(api(author), "courses?page=2&page_size=2") == (4, 4)
    assert ask(api(author), "courses?page=3&page_size=2") == (4, 2)


@asks_the_planner
@pytest.mark.django_db
@pytest.mark.usefixtures("anew")
def test_ten_thousand_rows_are_counted_exactly_and_more_are_estimated(
    django_assert_num_queries: Any,
) -> None:
    tasks = OrmQ.objects.all()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_q_ormq (key, payload) SELECT 'x', '' FROM generate_series(1, 10000)"
        )
    for _time in range(2):
        with django_assert_num_queries(1):
            assert count_rows(tasks) == 10_000
    OrmQ.objects.create(key="x", payload="")
    with django_assert_num_queries(2):
        assert count_rows(tasks) > 10_000
    with django_assert_num_queries(0):
        assert count_rows(tasks) > 10_000


@asks_the_planner
@pytest.mark.django_db
def test_there_are_no_fewer_rows_than_were_counted_and_estimates_are_not_kept_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counting, "COUNTED", 4)
    known: dict[Any, Any] = {(number,): (inf, 0) for number in range(999)}
    monkeypatch.setattr(counting, "_estimates", known)
    UserFactory.create_batch(8)
    analyze()
    # The planner takes a third of the rows for longer than any length.
    people = User.objects.annotate(length=Length("email")).filter(length__gt=0)
    assert planned_rows(people) < 4
    assert count_rows(people) == 5
    assert len(known) == 1000
    assert count_rows(people.filter(length__gt=1)) == 5
    assert len(known) == 1


@asks_the_planner
@pytest.mark.django_db
def test_the_server_prepares_what_is_compiled_and_nothing_else(api: Any, author: User) -> None:
    CourseFactory.create(owner=author)
    for _time in range(connection.settings_dict["OPTIONS"]["prepare_threshold"] + 1):
        api(author).get("courses")
        assert User.objects.filter(email=author.email).exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        statements = " ".join(statement for (statement,) in cursor.fetchall())
    for table in ("lms_course", "lms_lesson"):
        assert table in statements
    assert '"people_user"."email" =' not in statements
