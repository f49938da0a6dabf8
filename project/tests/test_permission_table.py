"""The permission table of the contract: who gets which answer from which operation, and that what
was refused was not done. An operation of the API that has no row here fails."""

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from django.core.files.base import ContentFile
from PIL import Image

from lms.models import Access, AccessSource, Completion, Course, Lesson, Subscription
from lms.services import authoring
from lms.tests.factories import CourseFactory, LessonFactory
from payments.models import Payment
from payments.tests.factories import PaymentFactory
from people.models import PersonalExport, User
from people.one_time_links import email_link, password_reset_link, reactivation_link
from people.tests.factories import PASSWORD, UserFactory
from people.tokens import issue_pair, user_of_refresh_token
from project.common.errors import Unauthenticated
from project.mail.models import Delivery
from project.tests.test_openapi import OPERATIONS

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

# `stranger` is any user who does not own what is asked for.
ROLES = ("anonymous", "stranger", "author", "moderator", "administrator")
NEW_PASSWORD = "wrong horse battery staple"


class World:
    """A published and a draft course of the author, and one of the moderator; `caller` asks, and
    stands for the author where nobody does."""

    course: Course
    draft: Course
    foreign: Course
    priced: Course
    lesson: Lesson
    draft_lesson: Lesson
    payment: Payment
    blocked: User
    newcomer: User
    refresh: str

    def __init__(self, role: str, people: dict[str, User]) -> None:
        self.author, self.moderator = people["author"], people["moderator"]
        self.caller = people.get(role, self.author)
        picture = {"preview": ContentFile(PICTURE, name="picture.png")}
        self.course = CourseFactory.create(
            owner=self.author, title="Bread", published=True, **picture
        )
        self.lesson = LessonFactory.create(course=self.course, title="Flour", **picture)
        self.draft = CourseFactory.create(owner=self.author, title="Cake")
        self.draft_lesson = LessonFactory.create(course=self.draft, title="Sugar")
        self.foreign = CourseFactory.create(owner=self.moderator, title="Rules", published=True)
        self.priced = CourseFactory.create(owner=self.author, title="Pie", price=5, published=True)
        self.payment = PaymentFactory.create(
            payer=self.author, course=self.priced, title="Paid by the author"
        )
        PaymentFactory.create(
            payer=self.moderator, course=self.draft, title="Paid by the moderator"
        )
        self.blocked = UserFactory.create(inactive=True)
        self.newcomer = UserFactory.create(email_confirmed_at=None)
        self.refresh = issue_pair(self.caller).refresh

    def enrol(self) -> None:
        Access.objects.get_or_create(
            user=self.caller, course=self.course, source=AccessSource.ENROLLMENT, revoked_at=None
        )


def _picture() -> bytes:
    content = BytesIO()
    Image.new("RGB", (2, 2)).save(content, "PNG")
    return content.getvalue()


PICTURE = _picture()


@dataclass
class Row:
    """`statuses` are those of ROLES, in their order. `state` is read before and after the call: it
    changes if the answer is a success, and only then. `shows` reads an answer; `shown` says what
    it finds there, by role."""

    operation: str
    request: Callable[[World], tuple[Any, ...]]
    statuses: str
    state: Callable[[World], Any] | None = None
    shows: Callable[[Any], Any] | None = None
    shown: dict[str, Any] = field(default_factory=dict)
    variant: str = ""


def call(client: Any, method: str, path: str, *body: Any) -> Any:
    """Make a call that a row describes; return the response."""
    if method == "UPLOAD":
        return client.upload(path, PICTURE)
    return getattr(client, method.lower())(path, *body)


def titles(body: Any) -> set[str]:
    return {item["title"] for item in body["items"]}


def edit_of(course: Course) -> str:
    """Of the title; the id of its entry in the history."""
    authoring.update_course(course=course, changes={"title": "Edited"}, by=course.owner)
    return f"course-{course.history.latest('history_id').history_id}"


def course_state(course: str) -> Callable[[World], Any]:
    return lambda world: list(Course.objects.filter(pk=getattr(world, course).pk).values())


def lesson_state(world: World) -> Any:
    return list(Lesson.objects.filter(pk=world.lesson.pk).values())


def person_state(world: World) -> Any:
    return User.objects.filter(pk=world.author.pk).values().get()


def caller_state(world: World) -> Any:
    return User.objects.filter(pk=world.caller.pk).values().get()


def own(model: type[Any]) -> Callable[[World], Any]:
    return lambda world: list(model.objects.filter(user=world.caller).values_list("pk"))


def is_refused(token: str) -> bool:
    try:
        user_of_refresh_token(token)
    except Unauthenticated:
        return True
    return False


def link(address: str, **extra: str) -> dict[str, str]:
    uid, token = address.split("/")[-2:]
    return {"uid": uid, "token": token, **extra}


def new_course(world: World) -> tuple[Any, ...]:
    return "POST", "courses", {"title": "New"}


def new_lesson(course: str) -> Callable[[World], tuple[Any, ...]]:
    return lambda world: (
        "POST",
        "lessons",
        {"course_id": getattr(world, course).pk, "title": "New"},
    )


def other_order(world: World) -> tuple[Any, ...]:
    last = LessonFactory.create(course=world.course, position=world.lesson.position + 1)
    order = {"lesson_ids": [last.pk, world.lesson.pk]}
    return "PUT", f"courses/{world.course.pk}/lessons/order", order


def subscribed(world: World) -> tuple[Any, ...]:
    Subscription.objects.get_or_create(user=world.caller, course=world.course)
    return "DELETE", f"courses/{world.course.pk}/subscription"


def choosing(world: World) -> tuple[Any, ...]:
    Subscription.objects.get_or_create(user=world.caller, course=world.course)
    return "PATCH", f"courses/{world.course.pk}/subscription", {"course_mails": "never"}


def own_choices(world: World) -> Any:
    return list(
        Subscription.objects.filter(user=world.caller).values_list("course", "course_mails")
    )


def completed(world: World) -> tuple[Any, ...]:
    Completion.objects.get_or_create(user=world.caller, lesson=world.lesson)
    return "DELETE", f"learning/lessons/{world.lesson.pk}/completion"


def enrolled(world: World) -> tuple[Any, ...]:
    world.enrol()
    return "DELETE", f"learning/courses/{world.course.pk}/enrollment"


def unconfirmed_caller(world: World) -> tuple[Any, ...]:
    User.objects.filter(pk=world.caller.pk).update(email_confirmed_at=None)
    return "POST", "auth/email/confirmation"


def with_avatar(world: World) -> tuple[Any, ...]:
    world.caller.avatar.save("picture.png", ContentFile(PICTURE))
    return "DELETE", "users/me/avatar"


def session_of(person: User) -> UUID:
    issue_pair(person)
    return person.token_families.values_list("pk", flat=True)[0]


OPERATION = operator.attrgetter("operation")
EVERYBODY = "200 200 200 200 200"
SIGNED_IN = "401 200 200 200 200"
COURSES_SHOWN = {
    "stranger": set(),
    "author": {"Bread", "Cake", "Pie"},
    "moderator": {"Bread", "Cake", "Pie", "Rules"},
    "administrator": {"Bread", "Cake", "Pie", "Rules"},
}
PUBLISHED = {role: {"Bread", "Pie", "Rules"} for role in ROLES[1:]}
PUBLIC_PROFILE = {"id", "first_name", "city", "avatar", "date_joined"}
FULL_PROFILE = PUBLIC_PROFILE | {
    "email", "last_name", "phone", "language", "last_login", "is_moderator",
    "is_administrator", "is_email_confirmed", "is_email_reachable", "is_listed", "course_mails",
    "abilities",
}  # fmt: skip
PROFILES_SHOWN = {role: FULL_PROFILE if role == "author" else PUBLIC_PROFILE for role in ROLES[1:]}

TABLE = [
    Row("get_meta", lambda w: ("GET", "meta"), "200 200 200 200 200"),
    # --- auth: what anyone may do, and what is about the caller's own account --------------------
    Row("register", lambda w: ("POST", "auth/register", {"email": "new@school.example", "password": PASSWORD}),
        "201 201 201 201 201", state=lambda w: User.objects.count()),
    Row("obtain_token", lambda w: ("POST", "auth/token", {"email": w.caller.email, "password": PASSWORD}),
        EVERYBODY, state=lambda w: User.objects.get(pk=w.caller.pk).last_login),
    Row("refresh_token", lambda w: ("POST", "auth/token/refresh", {"refresh": w.refresh}),
        EVERYBODY, state=lambda w: list(w.caller.token_families.values())),
    Row("verify_token", lambda w: ("POST", "auth/token/verify", {"token": w.refresh}),
        "204 204 204 204 204"),
    Row("logout", lambda w: ("POST", "auth/logout", {"refresh": w.refresh}),
        "204 204 204 204 204", state=lambda w: is_refused(w.refresh)),
    Row("logout_everywhere", lambda w: ("POST", "auth/logout/everywhere"),
        "401 204 204 204 204", state=caller_state),
    Row("change_password",
        lambda w: ("POST", "auth/password/change", {"old_password": PASSWORD, "new_password": NEW_PASSWORD}),
        "401 200 200 200 200", state=caller_state),
    Row("request_password_reset", lambda w: ("POST", "auth/password/reset", {"email": w.author.email}),
        "202 202 202 202 202"),
    Row("confirm_password_reset",
        lambda w: ("POST", "auth/password/reset/confirm",
                   link(password_reset_link(w.author), new_password=NEW_PASSWORD)),
        "204 204 204 204 204", state=person_state),
    Row("request_email_confirmation", unconfirmed_caller, "401 202 202 202 202",
        state=lambda w: Delivery.objects.filter(recipient=w.caller).count()),
    Row("confirm_email",
        lambda w: ("POST", "auth/email/confirm", link(email_link(w.newcomer))),
        "204 204 204 204 204", state=lambda w: User.objects.get(pk=w.newcomer.pk).is_email_confirmed),
    Row("request_reactivation", lambda w: ("POST", "auth/reactivation", {"email": w.blocked.email}),
        "202 202 202 202 202"),
    Row("confirm_reactivation",
        lambda w: ("POST", "auth/reactivation/confirm", link(reactivation_link(w.blocked))),
        "204 204 204 204 204", state=lambda w: User.objects.get(pk=w.blocked.pk).is_active),
    # --- users: everybody reads the public part, only the person the rest ------------------------
    Row("list_users", lambda w: ("GET", "users?page_size=100"), SIGNED_IN,
        shows=lambda body: (body["count"], *{frozenset(item) for item in body["items"]}),
        shown={role: (5, frozenset(PUBLIC_PROFILE)) for role in ROLES[1:]}),
    Row("get_own_profile", lambda w: ("GET", "users/me"), SIGNED_IN,
        shows=lambda body: FULL_PROFILE - set(body), shown={role: set() for role in ROLES[1:]}),
    Row("get_user", lambda w: ("GET", f"users/{w.author.pk}"), SIGNED_IN,
        shows=lambda body: set(body) - {"payments", "payments_count"}, shown=PROFILES_SHOWN),
    Row("update_user", lambda w: ("PATCH", f"users/{w.author.pk}", {"city": "Kazan"}),
        "401 403 200 403 403", state=person_state),
    Row("update_user", lambda w: ("PATCH", f"users/{w.caller.pk}", {"city": "Kazan"}),
        SIGNED_IN, state=caller_state, variant="own"),
    Row("delete_user", lambda w: ("DELETE", f"users/{w.author.pk}"),
        "401 403 204 403 403", state=person_state),
    Row("delete_user", lambda w: ("DELETE", f"users/{w.caller.pk}"),
        "401 204 204 204 409", state=caller_state, variant="own, the last administrator's not"),
    Row("request_export", lambda w: ("POST", "users/me/export"), "401 202 202 202 202",
        state=own(PersonalExport)),
    Row("change_email",
        lambda w: ("POST", "users/me/email", {"email": "new@school.example", "password": PASSWORD}),
        "401 202 202 202 202", state=caller_state),
    Row("set_avatar", lambda w: ("UPLOAD", "users/me/avatar"), SIGNED_IN, state=caller_state),
    Row("delete_avatar", with_avatar, "401 204 204 204 204",
        state=lambda w: bool(User.objects.get(pk=w.caller.pk).avatar)),
    Row("list_sessions", lambda w: ("GET", "users/me/sessions"), SIGNED_IN,
        shows=lambda body: body["count"], shown={role: 1 for role in ROLES[1:]}),
    Row("end_session", lambda w: ("DELETE", f"users/me/sessions/{session_of(w.caller)}"),
        "401 204 204 204 204", state=lambda w: w.caller.token_families.count()),
    Row("end_session", lambda w: ("DELETE", f"users/me/sessions/{session_of(w.blocked)}"),
        "401 404 404 404 404", variant="somebody else's",
        state=lambda w: w.blocked.token_families.count()),
    # --- courses: one's own; moderators see and change all, create and delete none ---------------
    Row("list_courses", lambda w: ("GET", "courses"), SIGNED_IN, shows=titles, shown=COURSES_SHOWN),
    Row("create_course", new_course, "401 201 201 403 201", state=lambda w: Course.objects.count()),
    Row("get_course_details", lambda w: ("GET", f"courses/{w.course.pk}"), "401 404 200 200 200"),
    Row("get_course_details", lambda w: ("GET", f"courses/{w.draft.pk}"), "401 404 200 200 200",
        variant="draft"),
    Row("update_course", lambda w: ("PATCH", f"courses/{w.course.pk}", {"title": "Changed"}),
        "401 404 200 200 200", state=course_state("course")),
    Row("delete_course", lambda w: ("DELETE", f"courses/{w.course.pk}"),
        "401 404 204 403 204", state=course_state("course")),
    Row("delete_course", lambda w: ("DELETE", f"courses/{w.foreign.pk}"),
        "401 404 404 403 204", state=course_state("foreign"), variant="a moderator's own"),
    Row("copy_course", lambda w: ("POST", f"courses/{w.course.pk}/copy"), "401 404 201 403 201",
        state=lambda w: Course.objects.count()),
    Row("copy_course", lambda w: ("POST", f"courses/{w.foreign.pk}/copy"), "401 404 404 403 201",
        state=lambda w: Course.objects.count(), variant="a moderator's own"),
    Row("order_lessons", other_order, "401 404 200 200 200",
        state=lambda w: list(w.course.lessons.values_list("pk"))),
    Row("list_course_changes", lambda w: ("GET", f"courses/{w.course.pk}/history"),
        "401 404 200 200 200"),
    Row("revert_change",
        lambda w: ("POST", f"courses/{w.course.pk}/history/{edit_of(w.course)}/revert"),
        "401 404 200 200 200", state=course_state("course")),
    Row("list_course_people", lambda w: ("GET", f"courses/{w.course.pk}/people"),
        "401 404 200 200 200"),
    Row("get_course_statistics", lambda w: ("GET", f"courses/{w.course.pk}/statistics"),
        "401 404 200 200 200"),
    Row("set_course_preview", lambda w: ("UPLOAD", f"courses/{w.course.pk}/preview"),
        "401 404 200 200 200", state=course_state("course")),
    Row("delete_course_preview", lambda w: ("DELETE", f"courses/{w.course.pk}/preview"),
        "401 404 204 204 204", state=course_state("course")),
    # --- lessons: as their course ------------------------------------------------------------------
    Row("list_lessons", lambda w: ("GET", "lessons"), SIGNED_IN, shows=titles,
        shown={role: set() if role == "stranger" else {"Flour", "Sugar"} for role in ROLES[1:]}),
    Row("create_lesson", new_lesson("course"), "401 404 201 403 201",
        state=lambda w: w.course.lessons.count()),
    Row("create_lesson", new_lesson("foreign"), "401 404 404 403 201",
        state=lambda w: w.foreign.lessons.count(), variant="in a moderator's own course"),
    Row("get_lesson_details", lambda w: ("GET", f"lessons/{w.lesson.pk}"), "401 404 200 200 200"),
    Row("update_lesson", lambda w: ("PATCH", f"lessons/{w.lesson.pk}", {"title": "Changed"}),
        "401 404 200 200 200", state=lesson_state),
    Row("update_lesson", lambda w: ("PATCH", f"lessons/{w.lesson.pk}", {"course_id": w.foreign.pk}),
        "401 404 404 403 200", state=lesson_state, variant="move to a foreign course"),
    Row("delete_lesson", lambda w: ("DELETE", f"lessons/{w.lesson.pk}"),
        "401 404 204 403 204", state=lesson_state),
    Row("set_lesson_preview", lambda w: ("UPLOAD", f"lessons/{w.lesson.pk}/preview"),
        "401 404 200 200 200", state=lesson_state),
    Row("delete_lesson_preview", lambda w: ("DELETE", f"lessons/{w.lesson.pk}/preview"),
        "401 404 204 204 204", state=lesson_state),
    # --- subscriptions: to what is published, or what one sees in authoring ------------------------
    Row("subscribe_to_course", lambda w: ("POST", f"courses/{w.course.pk}/subscription"),
        "401 201 201 201 201", state=own(Subscription)),
    Row("subscribe_to_course", lambda w: ("POST", f"courses/{w.draft.pk}/subscription"),
        "401 404 201 201 201", state=own(Subscription), variant="draft"),
    Row("update_subscription", choosing, "401 200 200 200 200", state=own_choices),
    Row("update_subscription",
        lambda w: ("PATCH", f"courses/{w.course.pk}/subscription", {"course_mails": "never"}),
        "401 404 404 404 404", state=own_choices, variant="not subscribed"),
    Row("unsubscribe_from_course", subscribed, "401 204 204 204 204", state=own(Subscription)),
    Row("list_subscriptions",
        lambda w: (Subscription.objects.get_or_create(user=w.moderator, course=w.course), "GET", "subscriptions")[1:],
        SIGNED_IN, shows=titles,
        shown={role: {"Bread"} if role == "moderator" else set() for role in ROLES[1:]}),
    # --- catalog and learning: published courses, and lessons one has access to --------------------
    Row("list_catalog_courses", lambda w: ("GET", "catalog/courses"), SIGNED_IN, shows=titles,
        shown=PUBLISHED),
    Row("get_catalog_course", lambda w: ("GET", f"catalog/courses/{w.course.pk}"), SIGNED_IN),
    Row("get_catalog_course", lambda w: ("GET", f"catalog/courses/{w.draft.pk}"),
        "401 404 404 404 404", variant="draft"),
    Row("enroll_in_course", lambda w: ("POST", f"learning/courses/{w.course.pk}/enrollment"),
        "401 201 200 200 200"),
    Row("enroll_in_course", lambda w: ("POST", f"learning/courses/{w.priced.pk}/enrollment"),
        "401 402 200 200 200", variant="with a price"),
    Row("leave_course", enrolled, "401 204 204 204 204",
        state=lambda w: Access.objects.filter(user=w.caller, revoked_at=None).exists()),
    Row("list_learning", lambda w: ("GET", "learning/courses"), SIGNED_IN),
    Row("get_learning_course", lambda w: ("GET", f"learning/courses/{w.course.pk}"),
        "401 403 200 200 200"),
    Row("get_learning_course", lambda w: ("GET", f"learning/courses/{w.draft.pk}"),
        "401 404 200 200 200", variant="draft"),
    Row("get_learning_lesson", lambda w: ("GET", f"learning/lessons/{w.lesson.pk}"),
        "401 403 200 200 200"),
    Row("get_learning_lesson", lambda w: ("GET", f"learning/lessons/{w.draft_lesson.pk}"),
        "401 404 200 200 200", variant="draft"),
    Row("complete_lesson", lambda w: ("PUT", f"learning/lessons/{w.lesson.pk}/completion"),
        "401 403 200 200 200", state=own(Completion)),
    Row("reopen_lesson", completed, "401 403 200 200 200", state=own(Completion)),
    # --- payments: one's own; administrators see all -----------------------------------------------
    Row("list_payments", lambda w: ("GET", "payments"), SIGNED_IN, shows=titles,
        shown={"stranger": set(), "author": {"Paid by the author"},
               "moderator": {"Paid by the moderator"},
               "administrator": {"Paid by the author", "Paid by the moderator"}}),
    Row("get_payment", lambda w: ("GET", f"payments/{w.payment.pk}"), "401 404 200 404 200"),
    Row("get_payment_status", lambda w: ("GET", f"payments/{w.payment.pk}/status"),
        "401 404 200 404 200"),
    Row("cancel_payment", lambda w: ("DELETE", f"payments/{w.payment.pk}"), "401 404 204 404 403",
        state=lambda w: Payment.objects.get(pk=w.payment.pk).status),
    Row("create_payment", lambda w: ("POST", "payments", {"course_id": w.priced.pk, "method": "cash"}),
        "401 201 409 409 409", state=lambda w: Payment.objects.filter(payer=w.caller).count()),
    Row("create_payment", lambda w: ("POST", "payments", {"course_id": w.draft.pk, "method": "cash"}),
        "401 404 409 404 404", state=lambda w: Payment.objects.count(), variant="draft"),
    # Only Stripe can sign an event; payments/tests/test_webhooks.py has signed ones.
    Row("receive_stripe_event", lambda w: ("POST", "payments/stripe/webhook", {}),
        "400 400 400 400 400", variant="without a signature"),
]  # fmt: skip


def test_every_operation_has_a_row():
    assert {row.operation for row in TABLE} == OPERATIONS.keys()


def test_anonymous_gets_nothing_but_the_open_operations():
    for row in TABLE:
        if OPERATIONS[row.operation]["security"]:
            assert row.statuses.startswith("401"), row.operation
        assert len(row.statuses.split()) == len(ROLES)


@pytest.mark.parametrize("row", {row.operation: row for row in TABLE}.values(), ids=OPERATION)
def test_an_operation_refuses_a_parameter_that_it_does_not_know(
    row, api, author, moderator, administrator
):
    world = World(
        "administrator",
        {"author": author, "moderator": moderator, "administrator": administrator},
    )
    method, path, *body = row.request(world)
    before = row.state(world) if row.state else None
    path += "&colour=red" if "?" in path else "?colour=red"
    client = api(administrator)
    call = client.upload if method == "UPLOAD" else getattr(client, method.lower())
    response = call(path, *([PICTURE] if method == "UPLOAD" else body))
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["query", "colour"]
    if row.state:
        assert row.state(world) == before


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.operation} {row.variant}".strip())
def test_cell(row, role, api, author, stranger, moderator, administrator):
    people = {
        "author": author,
        "stranger": stranger,
        "moderator": moderator,
        "administrator": administrator,
    }
    world = World(role, people)
    request = row.request(world)
    before = row.state(world) if row.state else None
    response = call(api(people.get(role)), *request)
    expected = int(row.statuses.split()[ROLES.index(role)])
    assert response.status_code == expected, response.content
    if row.state:
        was_done = row.state(world) != before
        assert was_done == (expected < 300)
    if role in row.shown:
        assert row.shows(response.json()) == row.shown[role]
