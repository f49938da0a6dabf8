"""The payments book in the admin: who sees what, what is offered, and what becomes of it."""

import itertools
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from lms.models import Access, AccessSource
from lms.services import accesses
from lms.tests.factories import CourseFactory, LessonFactory
from payments.models import Payment, PaymentMove, PaymentStatus, StripeEvent
from payments.services import staff
from payments.tests.factories import DisputeFactory, PaymentFactory, RefundFactory
from people.tests.factories import UserFactory
from project.mail.kinds import label_of
from project.mail.models import Delivery
from project.mail.services import send_to_one

pytestmark = pytest.mark.django_db

BUTTONS = ("ask_stripe", "confirm", "reject", "refund", "grant_access")
OFFERED = {
    ("cash", "pending"): {"confirm", "reject", "grant_access"},
    ("cash", "processing"): {"confirm", "reject", "grant_access"},
    ("cash", "paid"): {"refund", "grant_access"},
    ("cash", "failed"): {"confirm", "grant_access"},
    ("cash", "expired"): {"confirm", "grant_access"},
    ("cash", "refunded"): {"grant_access"},
    ("stripe", "pending"): {"ask_stripe", "grant_access"},
    ("stripe", "processing"): {"ask_stripe", "grant_access"},
    ("stripe", "paid"): {"refund", "grant_access"},
    ("stripe", "failed"): {"grant_access"},
    ("stripe", "expired"): {"grant_access"},
    ("stripe", "refunded"): {"grant_access"},
}
MONEY_RIGHTS = {
    "confirm": "confirm_payment",
    "reject": "confirm_payment",
    "refund": "refund_payment",
    "grant_access": "add_access",
}


def page(name="changelist", *args):
    return reverse(f"admin:payments_payment_{name}", args=args)


def make(method, status):
    paid = {"paid_at": timezone.now()} if status in {"paid", "refunded"} else {}
    session = {"session_id": f"cs_test_{status}"} if method == "stripe" else {}
    return PaymentFactory.create(method=method, status=status, **paid, **session)


def buttons_on(response):
    found = re.findall(r'href="[^"]*/payments/payment/\d+/([a-z-]+)/"', response.text)
    return {name.replace("-", "_") for name in found} & set(BUTTONS)


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def viewer(*rights):
    user = UserFactory.create(is_staff=True)
    known = Permission.objects.filter(codename__in=["view_payment", *rights])
    user.user_permissions.set(known)
    return user


# --- What is offered --------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "status"), OFFERED)
def test_a_payment_offers_what_may_become_of_it(client_of, administrator, method, status):
    payment = make(method, status)
    response = client_of(administrator).get(page("change", payment.pk))
    assert buttons_on(response) == OFFERED[method, status]


@pytest.mark.parametrize(("method", "status"), OFFERED)
@pytest.mark.parametrize("right", sorted(set(MONEY_RIGHTS.values())))
def test_each_right_shows_its_own_buttons(client_of, method, status, right):
    payment = make(method, status)
    own = {name for name, needed in MONEY_RIGHTS.items() if needed == right} | {"ask_stripe"}
    response = client_of(viewer(right)).get(page("change", payment.pk))
    assert buttons_on(response) == OFFERED[method, status] & own


@pytest.mark.parametrize(
    ("method", "status", "name"),
    [
        (method, status, name)
        for (method, status), name in itertools.product(OFFERED, BUTTONS)
        if name not in OFFERED[method, status]
    ],
)
def test_what_is_not_offered_is_not_done(client_of, administrator, method, status, name):
    payment = make(method, status)
    response = client_of(administrator).post(page(name, payment.pk), {"reason": "because"})
    assert said(response) == ["This can't be done with the payment in its current state."]
    payment.refresh_from_db()
    assert payment.status == status
    assert not PaymentMove.objects.exists()


@pytest.mark.parametrize("name", MONEY_RIGHTS)
def test_without_the_right_nothing_is_done(client_of, moderator, name):
    payment = PaymentFactory.create(paid=name == "refund")
    others = set(MONEY_RIGHTS.values()) - {MONEY_RIGHTS[name]}
    for user in (viewer(*others), moderator):
        for method in ("get", "post"):
            response = getattr(client_of(user), method)(page(name, payment.pk), {"reason": "mine"})
            assert response.status_code == 403
    payment.refresh_from_db()
    assert payment.status == ("paid" if name == "refund" else "pending")
    assert not Access.objects.exists()


@pytest.mark.parametrize("name", MONEY_RIGHTS)
def test_looking_at_the_question_does_nothing(client_of, administrator, name):
    payment = PaymentFactory.create(paid=name == "refund")
    response = client_of(administrator).get(page(name, payment.pk), {"reason": "mine"})
    assert response.status_code == 200
    assert payment.title in response.text
    payment.refresh_from_db()
    assert payment.status == ("paid" if name == "refund" else "pending")
    assert not PaymentMove.objects.exists()
    assert not Access.objects.exists()


@pytest.mark.parametrize("name", MONEY_RIGHTS)
@pytest.mark.parametrize("reason", ["", "   ", "x" * 201])
def test_a_reason_is_asked_for(client_of, administrator, name, reason):
    payment = PaymentFactory.create(paid=name == "refund")
    response = client_of(administrator).post(page(name, payment.pk), {"reason": reason})
    assert response.status_code == 200
    assert not PaymentMove.objects.exists()
    assert not Access.objects.exists()


@pytest.mark.parametrize("name", ["confirm", "refund"])
def test_a_form_of_another_site_is_refused(administrator, client, name):
    client.handler.enforce_csrf_checks = True
    client.force_login(administrator)
    payment = PaymentFactory.create(paid=name == "refund")
    assert client.post(page(name, payment.pk), {"reason": "mine"}).status_code == 403
    assert not PaymentMove.objects.exists()


# --- What becomes of it -----------------------------------------------------------------------


@pytest.mark.parametrize("who", ["support", "administrator"])
def test_staff_confirm_reject_and_refund(client_of, who, request):
    user = request.getfixturevalue(who)
    confirmed, rejected = PaymentFactory.create_batch(2)
    client = client_of(user)
    client.post(page("confirm", confirmed.pk), {"reason": "Statement of 3 May"})
    access = Access.objects.active().get()
    assert (access.user, access.course, access.given_by) == (
        confirmed.payer,
        confirmed.course,
        user,
    )
    client.post(page("reject", rejected.pk), {"reason": "Never came"})
    response = client.post(page("refund", confirmed.pk), {"reason": "Changed their mind"})
    assert said(response)[-1] == "The money was refunded."
    moves = PaymentMove.objects.values_list("payment", "to_status", "by", "reason", "source")
    assert list(moves) == [
        (confirmed.pk, "paid", user.pk, "Statement of 3 May", "staff"),
        (rejected.pk, "failed", user.pk, "Never came", "staff"),
        (confirmed.pk, "refunded", user.pk, "Changed their mind", "staff"),
    ]
    assert not Access.objects.active().exists()


def test_access_is_granted_whatever_becomes_of_the_money(client_of, support):
    payment = PaymentFactory.create()
    client = client_of(support)
    client.post(page("grant_access", payment.pk), {"reason": "The bank is slow"})
    access = Access.objects.active().get()
    assert (access.user, access.course, access.source, access.given_by, access.reason) == (
        payment.payer,
        payment.course,
        AccessSource.GRANT,
        support,
        "The bank is slow",
    )
    client.post(page("reject", payment.pk), {"reason": "Never came"})
    assert Access.objects.active().count() == 1
    mail = f"Email “access given” to {payment.payer.email}: waiting"
    assert mail in client.get(page("change", payment.pk)).text


def test_who_learns_the_course_needs_no_access_to_its_lesson(client_of, administrator):
    lesson = LessonFactory.create()
    payment = PaymentFactory.create(course=None, lesson=lesson)
    accesses.grant_access(user=payment.payer, target=lesson.course, source=AccessSource.ENROLLMENT)
    assert "grant_access" not in buttons_on(
        client_of(administrator).get(page("change", payment.pk))
    )


def test_the_error_of_a_service_is_a_message(client_of, administrator):
    first = PaymentFactory.create()
    second = PaymentFactory.create(payer=first.payer, course=first.course)
    staff.confirm_payment(payment=first, by=administrator, reason="came")
    response = client_of(administrator).post(page("confirm", second.pk), {"reason": "came, too"})
    assert said(response) == ["This person has already paid for this."]
    second.refresh_from_db()
    assert second.status == PaymentStatus.PENDING


def test_stripe_is_asked_and_refunds(api, client_of, learner, administrator, stripe_sandbox):
    course = CourseFactory.create(published=True, price=100)
    api(learner).post("payments", {"course_id": course.pk, "method": "stripe"})
    payment = Payment.objects.get(method="stripe")
    client = client_of(administrator)
    assert client.get(page("ask_stripe", payment.pk)).status_code == 200
    stripe_sandbox.sandbox.pay(payment.session_id)
    response = client.post(page("ask_stripe", payment.pk))
    assert said(response) == ["Stripe has replied. The payment is: paid."]
    assert Access.objects.active().get().user == learner
    answer = {"reason": "Changed their mind", "typed": learner.email}
    client.post(page("refund", payment.pk), answer)
    payment.refresh_from_db()
    assert payment.status == PaymentStatus.REFUNDED
    assert len(stripe_sandbox.sandbox.all("refund")) == 1
    assert not Access.objects.active().exists()


def test_a_silent_stripe_changes_nothing(api, client_of, learner, administrator, stripe_sandbox):
    course = CourseFactory.create(published=True, price=100)
    api(learner).post("payments", {"course_id": course.pk, "method": "stripe"})
    payment = Payment.objects.get(method="stripe")
    stripe_sandbox.shutdown()
    response = client_of(administrator).post(page("ask_stripe", payment.pk))
    assert said(response) == ["The payment provider gave an unexpected response. Try again later."]
    payment.refresh_from_db()
    assert payment.status == PaymentStatus.PENDING


# --- The page ---------------------------------------------------------------------------------


def test_the_page_tells_the_whole_life(client_of, administrator):
    payment = make("stripe", "pending")
    StripeEvent.objects.create(
        event_id="evt_1",
        type="checkout.session.completed",
        payment=payment,
        outcome="moved to: paid",
        happened_at=timezone.now(),
    )
    Payment.objects.filter(pk=payment.pk).update(method="cash")
    client = client_of(administrator)
    client.post(page("confirm", payment.pk), {"reason": "Statement of 3 May"})
    client.post(page("refund", payment.pk), {"reason": "Changed their mind"})
    text = client.get(page("change", payment.pk)).text
    told = [
        "cs_test_pending",
        "checkout.session.completed",
        "moved to: paid",
        "Statement of 3 May",
        "Access granted",
        "Access revoked",
        "Changed their mind",
    ]
    assert [step for step in told if step not in text] == []
    assert text.index("paid → refunded") < text.index("checkout.session.completed")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ["waiting"]),
        ({"status": "sent", "finished_at": timezone.now()}, ["sent"]),
        ({"status": "refused", "error": "550 No such user"}, ["refused by", "550 No such user"]),
        ({"status": "skipped", "error": "blocked"}, ["not sent on purpose", "blocked"]),
    ],
)
def test_the_life_tells_what_became_of_the_mail(client_of, administrator, change, told):
    payment = make("cash", "pending")
    client = client_of(administrator)
    client.post(page("confirm", payment.pk), {"reason": "Here it is"})
    Delivery.objects.update(**change)
    text = client.get(page("change", payment.pk)).text
    start = text.index(f"Email “payment received” to {payment.payer.email}")
    assert [words for words in told if words not in text[start : start + 400]] == []


def test_the_life_tells_of_every_mail_about_the_payment(client_of, administrator, support):
    payment = make("stripe", "paid")
    refund = RefundFactory.create(payment=payment)
    dispute = DisputeFactory.create(payment=payment)
    kinds = {
        "payment_received": payment, "payment_failed": payment, "access_taken": payment,
        "amount_differs": payment, "payment_refunded": refund, "refund_failed": refund,
        "dispute_opened": dispute,
    }  # fmt: skip
    other = make("cash", "paid")
    for kind, subject in kinds.items():
        for of, person in ((subject.pk, support), (other.pk + 1000, other.payer)):
            send_to_one(kind, person, subject_id=of, key=str(of))
    text = client_of(administrator).get(page("change", payment.pk)).text
    for kind in kinds:
        assert f"Email “{label_of(kind)}” to {support.email}" in text, kind
    assert text.count(f"to {support.email}: ") == len(kinds)
    assert f"to {other.payer.email}" not in text


def test_nothing_of_a_payment_is_edited_or_deleted(client_of, administrator):
    payment = PaymentFactory.create()
    client = client_of(administrator)
    form = {"amount": "1.00", "title": "Cheaper", "status": "paid"}
    assert client.post(page("change", payment.pk), form).status_code == 403
    assert client.post(page("delete", payment.pk), {"post": "yes"}).status_code == 403
    bulk = {"action": "delete_selected", "_selected_action": payment.pk, "post": "yes"}
    client.post(page(), bulk)
    again = Payment.objects.get()
    assert (again.amount, again.title, again.status) == (payment.amount, payment.title, "pending")
    assert '<input type="text"' not in client.get(page("change", payment.pk)).text


# --- The list ---------------------------------------------------------------------------------


def listed(client, query=""):
    response = client.get(page() + query)
    assert response.status_code == 200
    return set(response.context["cl"].queryset)


def test_the_list_shows_words_and_money_as_people_write_them(client_of, administrator):
    payment = PaymentFactory.create(method="transfer", amount="12990.00")
    text = client_of(administrator).get(page()).text
    assert "₽12,990" in text
    assert payment.payer.email in text


def test_filters_find_what_needs_attention(client_of, administrator):
    old = timezone.now() - timedelta(days=31)
    waiting = PaymentFactory.create()
    stuck = PaymentFactory.create(method="transfer", created_at=old)
    at_stripe = make("stripe", "pending")
    left = make("stripe", "processing")
    Payment.objects.filter(pk=at_stripe.pk).update(created_at=old)
    paid = PaymentFactory.create(paid=True)
    client = client_of(administrator)
    assert listed(client) == {waiting, stuck, at_stripe, left, paid}
    assert listed(client, "?attention=confirm") == {waiting, stuck}
    assert listed(client, "?attention=stuck") == {stuck, at_stripe}
    assert listed(client, "?status__exact=paid") == {paid}
    assert listed(client, "?method__exact=stripe") == {at_stripe, left}
    assert listed(client, f"?course__id__exact={paid.course_id}") == {paid}
    assert listed(client, f"?payer__id__exact={paid.payer_id}") == {paid}


def test_filters_by_days_include_both_ends(client_of, administrator):
    today = timezone.localdate()
    payment = PaymentFactory.create(paid=True)
    PaymentFactory.create(created_at=timezone.now() - timedelta(days=9))
    client = client_of(administrator)
    for field in ("created_at", "paid_at"):
        assert listed(client, f"?{field}_from={today}&{field}_to={today}") == {payment}
        yesterday = today - timedelta(days=1)
        assert payment not in listed(client, f"?{field}_to={yesterday}")


def test_search_knows_every_name_of_a_payment(client_of, administrator):
    course = CourseFactory.create(title="Линейная алгебра", published=True)
    payment = PaymentFactory.create(course=course, external_id="LEDGER-7")
    Payment.objects.filter(pk=payment.pk).update(session_id="cs_test_a1B2")
    PaymentFactory.create()
    client = client_of(administrator)
    names = ["алГебр", "LEDGER-7", "cs_test_a1B2", payment.payer.email[:8].upper(), payment.pk]
    for name in names:
        assert listed(client, f"?q={name}") >= {payment}, name
    for name in ["LEDGER", "9" * 19, "9" * 30, "nothing at all"]:
        assert listed(client, f"?q={name}") == set(), name


def test_what_the_filters_choose_from_is_for_those_who_see_the_book(client_of, support, moderator):
    payment = PaymentFactory.create()
    for name, term in (("payers", payment.payer.email), ("courses", payment.title)):
        found = client_of(support).get(page(name), {"term": term}).json()
        assert [row["id"] for row in found["results"]] == [
            str(payment.payer_id if name == "payers" else payment.course_id)
        ]
        assert client_of(moderator).get(page(name), {"term": term}).status_code == 403


def test_a_payment_without_its_page_at_stripe_is_nobodys_to_see(client_of, administrator):
    payment = PaymentFactory.create(method="stripe")
    assert listed(client_of(administrator)) == set()
    assert client_of(administrator).get(page("change", payment.pk)).status_code == 302


@pytest.mark.parametrize("number", [2, 20])
def test_queries_for_the_list_do_not_grow(
    client_of, administrator, number, django_assert_num_queries
):
    PaymentFactory.create_batch(number)
    client = client_of(administrator)
    # 1 session, 2 person, 3 their log-in, 4 count, 5 keys of the page, 6 rows with their payers.
    with django_assert_num_queries(6):
        client.get(page())


@pytest.mark.parametrize("number", [2, 20])
def test_queries_for_the_page_do_not_grow(
    client_of, administrator, number, django_assert_num_queries
):
    course = CourseFactory.create(published=True)
    payment = PaymentFactory.create(course=course)
    for _time in range(number):
        PaymentMove.objects.create(
            payment=payment, from_status="pending", to_status="paid", source="staff",
            by=UserFactory.create(),
        )  # fmt: skip
        accesses.grant_access(
            user=payment.payer, target=course, source=AccessSource.GRANT, given_by=administrator,
            reference=f"test:{_time}",
        )  # fmt: skip
    client = client_of(administrator)
    ContentType.objects.get_for_model(Payment)  # asked for once in each process
    # 1 session, 2 person, 3 their log-in, 4 payment for the page, 5 payment for the buttons, 6 is there access,
    # 7 payer, 8 payer for the buttons, 9 course, 10 moves, 11 who moved it, 12 refunds, 13 disputes,
    # 14 the first open month, 15 entries, 16 accesses, 17 messages, 18 accesses and 19 messages for the mail,
    # 20 mail, 21 events.
    with django_assert_num_queries(21):
        client.get(page("change", payment.pk))


@pytest.mark.parametrize("number", [2, 20])
def test_queries_for_the_events_do_not_grow(
    client_of, administrator, number, django_assert_num_queries
):
    for index in range(number):
        StripeEvent.objects.create(
            event_id=f"evt_{index}",
            type="charge.refunded",
            payment=PaymentFactory.create(),
            outcome="moved to: refunded",
            happened_at=timezone.now(),
        )
    client = client_of(administrator)
    # 1 session, 2 person, 3 their log-in, 4 count, 5 keys of the page, 6 rows with their payments.
    with django_assert_num_queries(6):
        client.get(reverse("admin:payments_stripeevent_changelist"))


@pytest.mark.parametrize("few", [0, 1, 10])
def test_a_search_finds_the_same_among_few_and_many(
    client_of, administrator, learner, monkeypatch, few
):
    for limit in ("FEW", "SOME"):
        monkeypatch.setattr(f"project.common.db.search.{limit}", few)
    by_title = [PaymentFactory.create(title="Rye bread"), PaymentFactory.create(title="BREAD")]
    by_payer = PaymentFactory.create(payer__email="bread@school.example", title="Chess")
    by_number = PaymentFactory.create(external_id="bread", title="Chess")
    PaymentFactory.create(title="Chess")
    response = client_of(administrator).get(page("changelist"), {"q": "bread"})
    expected = {*by_title, by_payer, by_number}
    assert set(response.context["cl"].result_list) == expected
    assert response.context["cl"].result_count == len(expected)
