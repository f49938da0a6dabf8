"""Each address of the admin for each role; one that is missing in the table fails."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.contrib import admin
from django.urls import URLPattern, URLResolver, reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success

from lms.models import AccessSource
from lms.services import accesses, authoring
from lms.tests.factories import CourseFactory, LessonFactory
from payments.models import FindingKind, StripeEvent
from payments.tests.factories import (
    ClosedMonthFactory,
    DisputeFactory,
    FindingFactory,
    LedgerEntryFactory,
    PaymentFactory,
    RefundFactory,
)
from people.models import User
from people.models.users import moderators_group
from people.services.invitations import invite
from people.tests.factories import RefusedAddressFactory, UserFactory
from people.tests.test_second_factor import give_device
from people.tokens import issue_pair
from project.mail.models import DeliveryStatus, MailServer
from project.mail.services import send_to_one
from project.mail.tests.factories import KeptLetterFactory
from project.school.tests.factories import SchoolFactory

pytestmark = pytest.mark.any_database

# Whoever is not of the staff is sent to the log-in.
STAFF_ROLES = ("moderator", "support", "administrator")
ALL, NOBODY = (200, 200, 200), (403, 403, 403)
CONTENT = (200, 403, 200)
PEOPLE = (403, 200, 200)
ADMINISTRATOR = (403, 403, 200)
MONEY = (403, 200, 200)

TABLE = {
    "index": ALL,
    "login": (302, 302, 302),
    "logout": (405, 405, 405),
    "password_change": ALL,
    "password_change_done": ALL,
    "security": ALL,
    "second_factor": (302, 302, 302),  # for who has a device and has not given a code
    "second_factor_set_up": ALL,
    "recovery_codes": (302, 302, 302),  # for who has a device
    "second_factor_remove": (302, 302, 302),
    "autocomplete": NOBODY,  # without the field that asks
    "jsi18n": ALL,
    "view_on_site": (404, 404, 404),
    "search": ALL,
    "app_list:lms": ALL,
    "app_list:people": (404, 200, 200),
    "app_list:payments": (404, 200, 200),
    "lms_course_authors": CONTENT,
    "lms_course_change_owner": ADMINISTRATOR,
    "lms_markdown": (405, 403, 405),  # a text is sent there
    "lms_course_picture": (405, 403, 405),  # a picture is sent there
    "lms_lesson_picture": (405, 403, 405),
    "school_school_picture": (403, 403, 405),
    "school_school_hide_checklist": (405, 405, 405),  # a button is pressed
    "lms_course_changelist": CONTENT,
    "lms_course_add": ADMINISTRATOR,
    "lms_course_change": CONTENT,
    "lms_course_delete": ADMINISTRATOR,
    "lms_course_history": CONTENT,
    "lms_course_put_back": CONTENT,
    "lms_course_copy": ADMINISTRATOR,
    "lms_course_participants": CONTENT,
    "lms_course_enrol": (302, 302, 302),  # where it leads, is asked who may
    "lms_course_forecast": (405, 403, 405),  # a form is sent there
    "lms_course_add_forecast": (403, 403, 405),
    "lms_course_row": CONTENT,
    "lms_course_add_row": ADMINISTRATOR,
    "lms_lesson_changelist": CONTENT,
    "lms_lesson_add": ADMINISTRATOR,
    "lms_lesson_change": CONTENT,
    "lms_lesson_delete": ADMINISTRATOR,
    "lms_lesson_history": CONTENT,
    "lms_lesson_put_back": CONTENT,
    "lms_lesson_forecast": (405, 403, 405),
    "lms_lesson_add_forecast": (403, 403, 405),
    "lms_pendingupdate_changelist": CONTENT,
    "lms_pendingupdate_add": NOBODY,
    "lms_pendingupdate_change": CONTENT,
    "lms_pendingupdate_delete": NOBODY,
    "lms_pendingupdate_history": (200, 302, 200),  # who sees no such course is led home
    "lms_pendingupdate_send_now": CONTENT,
    "lms_pendingupdate_drop": CONTENT,
    "lms_access_changelist": MONEY,
    "lms_access_add": MONEY,
    "lms_access_change": MONEY,
    "lms_access_delete": NOBODY,
    "lms_access_history": MONEY,
    "lms_access_revoke": MONEY,
    "lms_access_courses": MONEY,
    "lms_access_lessons": MONEY,
    "lms_access_people": MONEY,
    "people_user_changelist": PEOPLE,
    "people_user_enrol": (403, 404, 200),  # into a course that one sees
    "people_user_add": ADMINISTRATOR,
    "people_user_change": PEOPLE,
    "people_user_delete": NOBODY,
    "people_user_history": PEOPLE,
    "auth_user_password_change": PEOPLE,
    "people_user_block": PEOPLE,
    "people_user_unblock": PEOPLE,
    "people_user_password_reset": PEOPLE,
    "people_user_write": PEOPLE,
    "people_user_give_access": (302, 302, 302),
    "people_user_record_payment": (302, 302, 302),  # where it leads, is asked who may
    "people_user_give_roles": ADMINISTRATOR,
    "people_user_take_roles": ADMINISTRATOR,
    "people_user_allow_mail": PEOPLE,
    "people_user_keep": PEOPLE,
    "people_user_stop_keeping": PEOPLE,
    "people_user_export_data": PEOPLE,
    "people_user_send_confirmation": PEOPLE,
    "people_user_confirm_email": PEOPLE,
    "people_user_end_sessions": ADMINISTRATOR,
    "people_user_reset_second_factor": ADMINISTRATOR,
    "people_user_erase": ADMINISTRATOR,
    "people_user_invite_colleague": ADMINISTRATOR,
    "people_user_invite_again": ADMINISTRATOR,
    "people_user_withdraw": ADMINISTRATOR,
    "payments_payment_changelist": MONEY,
    "payments_payment_add": MONEY,
    "payments_payment_change": MONEY,
    "payments_payment_delete": NOBODY,
    "payments_payment_history": MONEY,
    "payments_payment_courses": MONEY,
    "payments_payment_lessons": MONEY,
    "payments_payment_payers": MONEY,
    "payments_payment_sums": MONEY,
    "payments_payment_ask_stripe": MONEY,
    "payments_payment_confirm": MONEY,
    "payments_payment_reject": MONEY,
    "payments_payment_refund": MONEY,
    "payments_payment_undo_confirmation": MONEY,
    "payments_payment_accept_amount": MONEY,
    "payments_payment_grant_access": MONEY,
    "payments_payment_write": MONEY,
    "payments_payment_import_payments": ADMINISTRATOR,
    "payments_payment_import_template": ADMINISTRATOR,
    "payments_payment_export": MONEY,
    "payments_stripeevent_changelist": MONEY,
    "payments_stripeevent_add": NOBODY,
    "payments_stripeevent_change": MONEY,
    "payments_stripeevent_delete": NOBODY,
    "payments_stripeevent_history": MONEY,
    **{
        f"payments_{model}_{name}": NOBODY if name in {"add", "delete"} else MONEY
        for model in ("finding", "dispute", "refund", "ledgerentry")
        for name in ("changelist", "add", "change", "delete", "history")
    },
    "payments_ledgerentry_sums": MONEY,
    "payments_ledgerentry_export": MONEY,
    "payments_closedmonth_changelist": MONEY,
    "payments_closedmonth_add": NOBODY,
    "payments_closedmonth_change": (403, 302, 302),  # to the page of the month
    "payments_closedmonth_delete": NOBODY,
    "payments_closedmonth_history": MONEY,
    "payments_closedmonth_month": MONEY,
    "payments_closedmonth_close": ADMINISTRATOR,
    "payments_finding_accept_amount": MONEY,
    "payments_finding_refund": MONEY,
    "payments_finding_repair": MONEY,
    "payments_finding_settle": MONEY,
    "app_list:django_q": (404, 404, 200),
    **{
        f"django_q_{model}_{name}": NOBODY if name in {"add", "delete"} else ADMINISTRATOR
        for model in ("ormq", "success", "failure", "schedule")
        for name in ("changelist", "add", "change", "delete", "history")
    },
    "django_q_failure_try_again": ADMINISTRATOR,
    "app_list:mail": (404, 404, 200),
    **{
        f"mail_{model}_{name}": NOBODY if name in {"add", "delete"} else ADMINISTRATOR
        for model in ("mailing", "delivery")
        for name in ("changelist", "add", "change", "delete", "history")
    },
    "app_list:school": (404, 404, 200),
    "school_school_changelist": (403, 403, 302),  # to the only row
    "school_school_add": NOBODY,
    "school_school_change": ADMINISTRATOR,
    "school_school_delete": NOBODY,
    "school_school_history": ADMINISTRATOR,
    "mail_mailserver_changelist": (403, 403, 302),  # to the only row
    "mail_mailserver_add": NOBODY,
    "mail_mailserver_change": ADMINISTRATOR,
    "mail_mailserver_delete": NOBODY,
    "mail_mailserver_history": ADMINISTRATOR,
    "mail_mailserver_send_test": ADMINISTRATOR,
    "mail_mailserver_try_now": ADMINISTRATOR,
    "mail_mailing_try_again": ADMINISTRATOR,
    "mail_letter": ADMINISTRATOR,
    "mail_written_anew": ADMINISTRATOR,
    "mail_delivery_try_again": ADMINISTRATOR,
    "mail_delivery_send_again": ADMINISTRATOR,
    "mail_delivery_take_as_sent": ADMINISTRATOR,
    "people_role_changelist": ADMINISTRATOR,
    "people_role_add": ADMINISTRATOR,
    "people_role_change": ADMINISTRATOR,
    "people_role_delete": NOBODY,  # the one of moderators
    "people_role_history": ADMINISTRATOR,
    "people_role_people": ADMINISTRATOR,
    "people_role_add_members": ADMINISTRATOR,
    "people_role_remove_members": ADMINISTRATOR,
}
SUBJECTS = {
    "lms_course": "course",
    "lms_lesson": "lesson",
    "lms_pendingupdate": "course",
    "lms_access": "access",
    "people_user": "person",
    "payments_payment": "payment",
    "payments_stripeevent": "event",
    "payments_finding": "finding",
    "payments_dispute": "dispute",
    "payments_refund": "given_back",
    "payments_ledgerentry": "entry",
    "payments_closedmonth": "closed_month",
    **{f"django_q_{model}": model for model in ("ormq", "success", "failure", "schedule")},
    "mail_mailing": "mailing",
    "mail_delivery": "delivery",
    "mail_letter": "letter",
    "mail_written": "delivery",
    "mail_mailserver": "mail_server",
    "school_school": "school",
}
GROUPS = {"people_role": "group", "auth_user": "person"}


def names(patterns: list[Any]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from names(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield pattern.name


def test_every_address_of_the_admin_is_in_the_table():
    known = {name.partition(":")[0] for name in TABLE}
    assert set(names(admin.site.get_urls())) == known


def background_work() -> dict[str, Any]:
    now = timezone.now()
    times = {"started": now, "stopped": now}
    return {
        "ormq": OrmQ.objects.create(key="parta", payload="", lock=now),
        "success": Success.objects.create(id="1" * 32, func="x.y", success=True, **times),
        "failure": Failure.objects.create(id="2" * 32, func="x.y", success=False, **times),
        "schedule": Schedule.objects.create(name="test", func="x.y"),
    }


def with_device() -> User:
    """Somebody who is logged in, and has a device for codes."""
    person = UserFactory.create()
    give_device(person)
    issue_pair(person)
    return person


@pytest.fixture
def address(moderators, administrator):
    colleague = UserFactory.create(is_staff=True)
    course = CourseFactory.create(published=True)
    lesson = LessonFactory.create(course=course)
    lesson.title = "Renamed"
    lesson.save(update_fields=["title"])
    authoring.update_course(course=course, changes={"title": "Renamed"}, by=colleague)
    colleague.groups.add(moderators_group())
    mailing = send_to_one("password_reset", colleague)
    mailing.deliveries.update(status=DeliveryStatus.REFUSED)
    unsure = send_to_one("reactivation", colleague)
    unsure.deliveries.update(status=DeliveryStatus.PERHAPS)
    other_sum = PaymentFactory.create(
        method="stripe", status="processing", received_amount=5, received_currency="RUB"
    )
    subjects: dict[str, Any] = {
        "course": course,
        "lesson": lesson,
        "person": UserFactory.create(),
        "blocked": UserFactory.create(blocked=True),
        "unreachable": RefusedAddressFactory.create().recipient,
        "kept": UserFactory.create(kept_at=timezone.now(), kept_reason="On leave"),
        "newcomer": UserFactory.create(email_confirmed_at=None),
        "colleague": colleague,
        "awaited": invite(email="new@school.example", profile={}, by=administrator),
        "logged_in": with_device(),
        "group": moderators_group(),
        "payment": PaymentFactory.create(),
        "access": accesses.grant_access(user=colleague, target=course, source=AccessSource.GRANT)[
            0
        ],
        "paid": PaymentFactory.create(paid=True),
        "other_sum": other_sum,
        "at_stripe": PaymentFactory.create(method="stripe", session_id="cs_test_1"),
        **background_work(),
        "mailing": mailing,
        "delivery": mailing.deliveries.get(),
        "unsure": unsure.deliveries.get(),
        "mail_server": MailServer.objects.create(pk=1, failing_since=timezone.now()),
        "letter": KeptLetterFactory.create(mailing=mailing),
        "school": SchoolFactory.create(),
        "finding": FindingFactory.create(
            kind=FindingKind.PAID_WITHOUT_ACCESS, reference="payment:1"
        ),
        "finding_of_sum": FindingFactory.create(
            kind=FindingKind.AMOUNT_DIFFERS, reference="payment:2", payment=other_sum
        ),
        "dispute": DisputeFactory.create(),
        "given_back": RefundFactory.create(),
        "closed_month": ClosedMonthFactory.create(month=date(2020, 1, 1)),
        "entry": LedgerEntryFactory.create(day=date(2020, 2, 1)),
        "event": StripeEvent.objects.create(type="refund.created", happened_at=timezone.now()),
    }

    def build(entry: str) -> str:
        name, _colon, app = entry.partition(":")
        if app:
            return reverse("admin:app_list", args=[app])
        if name == "view_on_site":
            return reverse("admin:view_on_site", args=[0, 0])
        known = SUBJECTS | GROUPS
        subject = next((subjects[known[of]] for of in known if name.startswith(of)), None)
        if name.endswith("put_back"):
            subject = subjects[name.split("_")[1]]
            change = subject.history.first()
            return reverse(f"admin:{name}", args=[subject.pk, change.history_id])
        if name.endswith("_row"):
            of_course = [] if "_add_" in name else [subjects["course"].pk]
            key = f"lesson-{subjects['lesson'].pk}" if of_course else "new-1"
            return reverse(f"admin:{name}", args=[*of_course, key])
        if name.endswith(("_password_change", "_password_reset")):
            subject = subjects["person"]
        subject = {
            "people_user_enrol": subjects["course"],
            "people_user_unblock": subjects["blocked"],
            "people_user_invite_again": subjects["awaited"],
            "people_user_withdraw": subjects["awaited"],
            "people_user_take_roles": subjects["colleague"],
            "people_user_allow_mail": subjects["unreachable"],
            "people_user_stop_keeping": subjects["kept"],
            "people_user_send_confirmation": subjects["newcomer"],
            "people_user_confirm_email": subjects["newcomer"],
            "people_user_end_sessions": subjects["logged_in"],
            "people_user_reset_second_factor": subjects["logged_in"],
            "mail_delivery_send_again": subjects["unsure"],
            "mail_delivery_take_as_sent": subjects["unsure"],
            "payments_payment_refund": subjects["paid"],
            "payments_payment_undo_confirmation": subjects["paid"],
            "payments_payment_accept_amount": subjects["other_sum"],
            "payments_payment_ask_stripe": subjects["at_stripe"],
            "payments_finding_accept_amount": subjects["finding_of_sum"],
            "payments_finding_refund": subjects["finding_of_sum"],
        }.get(name, subject)
        choices = ("_picture", "_authors", "_courses", "_lessons", "_people", "_payers", "_sums")
        lists = (
            "_changelist",
            "_add",
            "_invite_colleague",
            "_add_forecast",
            "_import_payments",
            "_import_template",
            "export",
            "_hide_checklist",
            *choices,
        )
        if subject is None or name.endswith(lists):
            return reverse(f"admin:{name}")
        of_month = name.endswith(("_month", "_close"))
        return reverse(f"admin:{name}", args=[2020, 2] if of_month else [subject.pk])

    return build


@pytest.mark.parametrize("role", ["anonymous", "learner", *STAFF_ROLES])
def test_addresses_answer_each_role_as_the_table_says(role, address, client_of, request):
    user = None if role == "anonymous" else request.getfixturevalue(role)
    client = client_of(user)
    for entry, of_staff in TABLE.items():
        response = client.get(address(entry))
        b"".join(response)  # some are files, which are closed once they are read
        if role in STAFF_ROLES:
            expected = of_staff[STAFF_ROLES.index(role)]
        elif entry in {"login", "logout"}:
            expected = 302 if entry == "logout" else 200
        else:
            expected = 302
        assert response.status_code == expected, entry
        if expected == 302 and role not in STAFF_ROLES and entry != "logout":
            assert "/login/" in response["Location"], entry
