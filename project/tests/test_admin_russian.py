"""No English word is left on the pages of the admin when Russian is chosen."""

import re
from datetime import date
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from django.urls import reverse
from django.utils import timezone, translation
from django_q.models import Failure, OrmQ, Schedule, Success
from django_q.signing import SignedPackage

from lms.models import AccessSource
from lms.services import accesses, authoring
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from payments.models import FindingKind, StripeEvent, StripeOutcome
from payments.services import staff
from payments.tests.factories import (
    ClosedMonthFactory,
    DisputeFactory,
    FindingFactory,
    LedgerEntryFactory,
    PaymentFactory,
    RefundFactory,
)
from people.models import BlockReason, Role
from people.one_time_links import invitation_link
from people.services import blocks
from people.services.invitations import invite
from people.tests.factories import PASSWORD, RefusedAddressFactory, UserFactory
from people.tests.test_second_factor import CODE, CODES, REMOVE, SET_UP, give_device
from people.tokens import issue_pair
from project.mail.models import Delivery, DeliveryStatus, Mailing, MailingState, MailServer
from project.mail.sending import mail_server
from project.mail.services import send_to_audience, send_to_one
from project.school.admin import AREAS
from project.school.tests.factories import SchoolFactory

pytestmark = pytest.mark.any_database

# Names, codes and what the test itself wrote: addresses, the group, the video.
ALLOWED = re.compile(
    rf"({'|'.join(AREAS)})/\S+|"
    r"Google Authenticator, Aegis|1Password|https://\S+|/media/\S+|\S+@\S+|\w*\*+|E-mail|\.env|[a-z]+(?:[._][a-z-]+)+"
    r"|\b(Parta|English|en|ru|API|RUB|CURRENCY|EMAIL_URL|STRIPE_API_KEY|Stripe|JPEG|PNG|WebP|HEIC|YouTube|Markdown|python|Ctrl|esc|UTC|cron|csv|xlsx|CSV|XLSX|Excel)\b"
)
HIDDEN = {"script", "style", "title"}
VOID = {"input", "img", "link", "meta", "br", "hr", "path", "col"}
SPOKEN = ("placeholder", "title", "aria-label", "alt")


class Visible(HTMLParser):
    """Collects what people see or hear; symbols are drawn from names in English."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[bool] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.texts += [known[name] for name in SPOKEN if known.get(name)]
        if tag == "input" and known.get("type") in {"submit", "button"}:
            self.texts.append(known.get("value") or "")
        if tag not in VOID:
            symbol = "material-symbols-outlined" in (known.get("class") or "")
            self.open.append(tag in HIDDEN or symbol)

    def handle_endtag(self, tag):
        if tag not in VOID and self.open:
            self.open.pop()

    def handle_data(self, data):
        if not any(self.open):
            self.texts.append(data)


def visible_in(html: str) -> str:
    page = Visible()
    page.feed(html)
    return " ".join(page.texts)


def english_words(html: str) -> list[str]:
    return sorted(set(re.findall(r"[A-Za-z]{2,}", ALLOWED.sub(" ", visible_in(html)))))


@pytest.fixture
def _written_in_russian():
    """What is written down by itself."""
    translation.activate("ru")


@pytest.fixture
def world(_written_in_russian, moderators, administrator):
    """Something in every list, with Russian names."""
    author = UserFactory.create(first_name="Анна", last_name="Ким")
    course = CourseFactory.create(owner=author, title="Хлеб", description="Мука", published=True)
    lesson = LessonFactory.create(course=course, title="Мука")
    SubscriptionFactory.create(course=course, user=author)
    authoring.update_course(
        course=course, changes={"title": "Хлеб дома", "price": 100}, by=administrator
    )
    authoring.update_lesson(
        lesson=lesson, changes={"title": "Вода", "is_preview": True}, by=administrator
    )
    for reason in BlockReason.values[:2]:
        person = UserFactory.create(first_name="Лев")
        blocks.block(user=person, by=None, reason=BlockReason(reason))
    role = Role.objects.get(name="moderators")
    role.user_set.add(author)
    give_device(author)
    issue_pair(author)
    administrator.first_name, administrator.language = "Ада", "ru"
    administrator.save()
    mailing = send_to_audience("course_update", 1, title="Хлеб дома")
    people = zip(
        UserFactory.create_batch(6, first_name="Лев", last_name="Ким"),
        DeliveryStatus.values,
        strict=True,
    )
    for person, status in people:
        error = "unsubscribed" if status == DeliveryStatus.SKIPPED else "550 5.1.1"
        now = timezone.now()
        delivery = Delivery.objects.create(
            mailing=mailing, recipient=person, status=status, error=error, finished_at=now
        )
    send_to_one("payment_received", author)
    Mailing.objects.create(kind="course_update", key="given up", state=MailingState.PARKED)
    MailServer.objects.create(pk=1, failures=1, failing_since=timezone.now())
    access, _new = accesses.grant_access(user=author, target=course, source=AccessSource.GRANT)
    payment, paid = (
        PaymentFactory.create(
            payer=author, course__owner=administrator, course__title=title, course__published=True
        )
        for title in ("Соль", "Перец")
    )
    staff.confirm_payment(payment=paid, by=administrator, reason="Выписка")
    now = timezone.now()
    RefusedAddressFactory.create(recipient=author, first_words="550", last_words="550")
    event = StripeEvent.objects.create(
        type="x", event_id="1", outcome=StripeOutcome.NOT_OURS, happened_at=now
    )
    times = {"started": now, "stopped": now, "name": "1"}
    task = {"id": "3" * 32, "name": "1", "func": "1", "args": (), "kwargs": {}, "started": now}
    other_sum = PaymentFactory.create(
        payer=author,
        course__owner=administrator,
        course__title="Мёд",
        method="stripe",
        status="processing",
        received_amount=5,
        received_currency="RUB",
    )
    return {
        "course": course,
        "lesson": lesson,
        "person": author,
        "awaited": invite(email="new@school.example", profile={}, roles=[role], by=administrator),
        "role": role,
        "kept": UserFactory.create(first_name="Лев", kept_at=now, kept_reason="В отпуске"),
        "newcomer": UserFactory.create(first_name="Вера", email_confirmed_at=None),
        "school": SchoolFactory.create(name="Дуб"),
        "mail_server": mail_server(),
        "mailing": mailing,
        "delivery": delivery,
        "failed": mailing.deliveries.get(status=DeliveryStatus.PARKED),
        "access": access,
        "payment": payment,
        "paid": paid,
        "other_sum": other_sum,
        "event": event,
        "finding_of_sum": FindingFactory.create(
            kind=FindingKind.AMOUNT_DIFFERS,
            reference="2",
            payment=other_sum,
            params={"ours": ["1.00", "RUB"], "theirs": ["2.00", "RUB"]},
        ),
        "finding": FindingFactory.create(
            kind=FindingKind.PAID_WITHOUT_ACCESS, payment=paid, reference="1"
        ),
        "dispute": DisputeFactory.create(
            payment__payer=author,
            payment__course__owner=administrator,
            payment__course__title="Мёд",
            dispute_id="1",
            evidence_due_by=now,
        ),
        "given_back": RefundFactory.create(
            payment__payer=author,
            payment__course__owner=administrator,
            payment__course__title="Мёд",
            by=administrator,
            status="failed",
            failure="declined",
        ),
        "closed_month": ClosedMonthFactory.create(month=date(2020, 1, 1), by=administrator),
        # Of a month that is closed, so that it came too late.
        "entry": LedgerEntryFactory.create(day=date(2020, 1, 31), payment=paid),
        "waiting": OrmQ.objects.create(key="1", payload=SignedPackage.dumps(task), lock=now),
        "done": Success.objects.create(id="1" * 32, func="1", success=True, **times),
        "failure": Failure.objects.create(id="2" * 32, func="1", success=False, **times),
        "schedule": Schedule.objects.create(name="1", func="1"),
    }


PAGES = {
    "index": None,
    "password_change": None,
    "security": None,
    "lms_course_changelist": None,
    "lms_course_add": None,
    "lms_course_change": "course",
    "lms_course_delete": "course",
    "lms_course_history": "course",
    "lms_course_copy": "course",
    "lms_course_change_owner": "course",
    "lms_course_participants": "course",
    "people_user_enrol": "course",
    "lms_pendingupdate_changelist": None,
    "lms_pendingupdate_change": "course",
    "lms_pendingupdate_history": "course",
    "lms_pendingupdate_send_now": "course",
    "lms_pendingupdate_drop": "course",
    "lms_lesson_changelist": None,
    "lms_lesson_add": None,
    "lms_lesson_change": "lesson",
    "lms_lesson_history": "lesson",
    "people_user_changelist": None,
    "people_user_add": None,
    "people_user_invite_colleague": None,
    "people_user_invite_again": "awaited",
    "people_user_withdraw": "awaited",
    "people_user_change": "person",
    "people_user_history": "person",
    "people_user_block": "person",
    "people_user_password_reset": "person",
    "people_user_write": "person",
    "people_user_give_roles": "person",
    "people_user_allow_mail": "person",
    "people_user_keep": "person",
    "people_user_stop_keeping": "kept",
    "people_user_export_data": "person",
    "people_user_send_confirmation": "newcomer",
    "people_user_confirm_email": "newcomer",
    "people_user_end_sessions": "person",
    "people_user_reset_second_factor": "person",
    "people_user_erase": "person",
    "auth_user_password_change": "person",
    "people_role_changelist": None,
    "people_role_add": None,
    "people_role_change": "role",
    "people_role_add_members": "role",
    "people_role_remove_members": "role",
    "school_school_change": "school",
    "mail_mailserver_change": "mail_server",
    "mail_mailserver_send_test": "mail_server",
    "mail_mailserver_try_now": "mail_server",
    "mail_mailing_changelist": None,
    "mail_mailing_change": "mailing",
    "mail_mailing_try_again": "mailing",
    "mail_delivery_changelist": None,
    "mail_delivery_change": "delivery",
    "mail_delivery_try_again": "failed",
    "mail_delivery_send_again": "delivery",
    "mail_delivery_take_as_sent": "delivery",
    "lms_access_changelist": None,
    "lms_access_add": None,
    "lms_access_change": "access",
    "lms_access_revoke": "access",
    "payments_payment_changelist": None,
    "payments_payment_sums": None,
    "payments_payment_add": None,
    "payments_payment_change": "paid",
    "payments_payment_confirm": "payment",
    "payments_payment_reject": "payment",
    "payments_payment_refund": "paid",
    "payments_payment_undo_confirmation": "paid",
    "payments_payment_accept_amount": "other_sum",
    "payments_payment_grant_access": "payment",
    "payments_payment_write": "payment",
    "payments_payment_export": None,
    "payments_finding_changelist": None,
    "payments_finding_change": "finding",
    "payments_finding_accept_amount": "finding_of_sum",
    "payments_finding_refund": "finding_of_sum",
    "payments_finding_settle": "finding",
    "payments_finding_repair": "finding",
    "payments_dispute_changelist": None,
    "payments_dispute_change": "dispute",
    "payments_refund_changelist": None,
    "payments_refund_change": "given_back",
    "payments_closedmonth_changelist": None,
    "payments_closedmonth_history": "closed_month",
    "payments_ledgerentry_changelist": None,
    "payments_ledgerentry_sums": None,
    "payments_ledgerentry_export": None,
    "payments_ledgerentry_change": "entry",
    "payments_stripeevent_changelist": None,
    "payments_stripeevent_change": "event",
    "django_q_ormq_changelist": None,
    "django_q_ormq_change": "waiting",
    "django_q_success_changelist": None,
    "django_q_success_change": "done",
    "django_q_failure_changelist": None,
    "django_q_failure_change": "failure",
    "django_q_failure_try_again": "failure",
    "django_q_schedule_changelist": None,
    "django_q_schedule_change": "schedule",
}


def test_an_open_row_of_a_course_is_in_russian(world, client_of, administrator):
    key = f"lesson-{world['lesson'].pk}"
    address = reverse("admin:lms_course_row", args=[world["course"].pk, key])
    response = client_of(administrator).get(address)
    assert english_words(response.text) == []


def test_pages_are_in_russian(world, client_of, administrator):
    client = client_of(administrator)
    found = {}
    for name, subject in PAGES.items():
        address = reverse(f"admin:{name}", args=[world[subject].pk] if subject else [])
        response = client.get(address)
        assert response.status_code == 200, name
        found[name] = english_words(response.text)
    assert {name: words for name, words in found.items() if words} == {}


# What the world has of names and of what people typed, and the name of the language.
TYPED = re.compile(
    r"\b(Ада|Анна|Ким|Лев|Вера|Хлеб|дома|Мука|Вода|Соль|Перец|Мёд|Дуб|Выписка|В отпуске|Русский)\b"
)
# Pages that show what was written down.
KEPT = re.findall(
    r"\w+",
    """
index lms_course_change lms_course_history lms_pendingupdate_changelist lms_lesson_history
people_user_changelist people_user_change people_user_history people_role_changelist
mail_mailserver_change mail_mailing_changelist mail_mailing_change mail_delivery_changelist
mail_delivery_change lms_access_changelist lms_access_change payments_payment_changelist
payments_payment_change payments_finding_changelist payments_finding_change
payments_dispute_changelist payments_refund_changelist payments_refund_change
payments_ledgerentry_changelist payments_stripeevent_changelist
""",
)


def test_what_was_written_in_russian_is_shown_in_english(world, client_of, administrator):
    administrator.language = "en"
    administrator.save()
    client = client_of(administrator)
    found = {}
    for name in KEPT:
        subject = PAGES[name]
        page = client.get(reverse(f"admin:{name}", args=[world[subject].pk] if subject else []))
        assert page.headers["Content-Language"] == "en"
        found[name] = re.findall(r"[А-Яа-яЁё]{2,}", TYPED.sub("", visible_in(page.text)))
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize("page", ["month", "close"])
def test_a_month_of_the_accounts_is_in_russian(world, client_of, administrator, page):
    address = reverse(f"admin:payments_closedmonth_{page}", args=[2020, 2])
    response = client_of(administrator).get(address)
    assert english_words(response.text) == []
    assert "проводка января 2020" in response.text


def test_question_before_putting_back_is_in_russian(world, client_of, administrator):
    lesson = world["lesson"]
    change = lesson.history.first()
    address = reverse("admin:lms_lesson_put_back", args=[lesson.pk, change.history_id])
    response = client_of(administrator).get(address)
    assert english_words(response.content.decode()) == []


def test_import_is_in_russian(world, client_of, administrator):
    """But for the columns, which are named as in technical tables, too."""
    address = reverse("admin:payments_payment_import_payments")
    response = client_of(administrator).get(address)
    names = {name for _label, name in response.context["columns"]}
    known = {"CSV", "XLSX", "Excel", "UTF", "Windows", "Parta"}
    assert set(english_words(response.text)) <= names | known


@pytest.mark.parametrize(
    "name",
    [
        "admin:login",
        "admin_password_forgotten",
        "admin_password_link_sent",
        "admin_password_choose",
        "admin_password_done",
        "admin_invitation",
        "admin_invitation_done",
    ],
)
def test_pages_before_the_log_in_are_in_russian(db, client, name):
    response = client.get(reverse(name), headers={"Accept-Language": "ru"})
    assert english_words(response.content.decode()) == []


@pytest.mark.parametrize("state", ["open", "expired", "accepted"])
def test_an_invitation_is_in_russian(world, client, state, time_machine):
    person = world["awaited"]
    link = urlsplit(invitation_link(person.invitation)).path
    said = {"Accept-Language": "ru"}
    if state == "expired":
        time_machine.move_to(person.invitation.expires_at)
    client.get(link)
    if state == "accepted":
        own = {"new_password": "своё слово", "again": "своё слово"}
        client.post(reverse("admin_invitation"), own)
        client.get(link)
    assert english_words(client.get(reverse("admin_invitation"), headers=said).text) == []


def test_second_step_is_in_russian(administrator, client):
    administrator.first_name, administrator.language = "Ада", "ru"
    administrator.save()
    _key, codes = give_device(administrator)
    form = {"username": administrator.email, "password": PASSWORD}
    client.post(reverse("admin:login"), form)
    pages = [client.get(CODE), client.post(CODE, {"code": "1"})]
    pages.append(client.post(CODE, {"code": codes[0]}, follow=True))
    pages += [client.get(address) for address in (CODES, REMOVE, SET_UP)]
    pages.append(client.post(CODES))
    shown = [re.sub(r"<(li|p class=.parta-key)[^>]*>[^<]*<", "<", page.text) for page in pages]
    assert [english_words(page) for page in shown] == [[]] * len(pages)


def test_the_check_finds_english():
    assert english_words("<p>Save <b class='material-symbols-outlined'>add</b></p>") == ["Save"]
    assert english_words("<input placeholder='Search'>") == ["Search"]
