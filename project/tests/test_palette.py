"""Ctrl+K: what can be begun, pages, and rows with what tells them apart; for what the person may see."""

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from lms.tests.factories import CourseFactory, LessonFactory
from payments.tests.factories import PaymentFactory
from people.models import Role
from people.tests.factories import UserFactory

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]


@pytest.fixture
def found(client_of):
    """What the palette answers: addresses with what they are called and what is told beside."""

    def ask(user, text="", language="en"):
        client = client_of(user)
        client.post(reverse("set_language"), {"language": language})
        response = client.get(reverse("admin:search"), {"s": text})
        assert response.status_code == 200
        return {one.link: (one.title, one.description) for one in response.context["results"]}

    return ask


def titles(found):
    return [title for title, _told in found.values()]


def staff(role):
    user = UserFactory.create(is_staff=True)
    user.groups.add(Role.objects.get(name=role).pk)
    return user


def test_before_anything_is_typed_it_offers_what_the_person_may_do(found, moderators, client_of):
    own = ["Log-in and security", "Change password"]
    expected = {
        "moderators": own,
        "content editors": ["Add a course", "Add a lesson", *own],
        "accountants": [
            "Record a payment",
            "Confirm payments",
            "Import payments",
            "Close the month",
            *own,
        ],
        "support": ["Add a person", "Grant access", *own],
    }
    for role, verbs in expected.items():
        user = staff(role)
        offered = found(user)
        assert titles(offered) == verbs, role
        for address in offered:
            assert client_of(user).get(address).status_code == 200, address


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("add course", "lms_course_add"),
        ("добавить курс", "lms_course_add"),
        ("record pay", "payments_payment_add"),
        ("внести платеж", "payments_payment_add"),
        ("INVITE", "people_user_invite_colleague"),
        ("пригласить", "people_user_invite_colleague"),
        ("test email", "mail_mailserver_send_test"),
        ("платежи", "payments_payment_changelist"),
        ("close month", "payments_closedmonth_changelist"),
    ],
)
def test_verbs_and_pages_are_found_by_words_of_both_languages(
    found, administrator, text, page, language
):
    arguments = [1] if page.endswith("send_test") else []
    assert reverse(f"admin:{page}", args=arguments) in found(administrator, text, language)


def test_rows_say_what_tells_them_apart(found, administrator, client_of):
    author = UserFactory.create(first_name="Anna", last_name="Petrova", email="anna@oak.example")
    course = CourseFactory.create(owner=author, title="Sourdough", published=True)
    lesson = LessonFactory.create(course=course, title="Flour for sourdough")
    payment = PaymentFactory.create(payer=author, course=course, amount=4900, title="Sourdough")
    rows = found(administrator, "sourdough")

    def told(row):
        page = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
        return rows[reverse(page, args=[row.pk])]

    assert told(course) == ("Sourdough", "course · Anna Petrova · published")
    assert told(lesson)[1].startswith("lesson · Sourdough")
    title, details = told(payment)
    assert title.startswith("Sourdough, ")
    assert f"№ {payment.pk} · Anna Petrova · pending" in details
    for text in ("petrova", "anna@oa"):
        rows = found(administrator, text)
        assert told(author) == ("Anna Petrova", "person · anna@oak.example · active"), text
    for text in (f"№ {payment.pk}", f"{payment.pk}", "4 900", "4900,00", "petrova"):
        assert reverse("admin:payments_payment_change", args=[payment.pk]) in found(
            administrator, text
        ), text


def test_what_was_renamed_is_found_at_once_and_in_the_language_of_the_moment(found, administrator):
    course = CourseFactory.create(title="Sourdough")
    address = reverse("admin:lms_course_change", args=[course.pk])
    assert "draft" in found(administrator, "sourdough")[address][1]
    course.title = "Sourdough at home"
    course.save()
    assert found(administrator, "sourdough", "ru")[address][0] == "Sourdough at home"
    assert "черновик" in found(administrator, "sourdough", "ru")[address][1]


def test_a_moderator_finds_no_people_and_no_payments(found, moderator, learner):
    PaymentFactory.create(payer=learner, title="Sourdough")
    assert found(moderator, learner.email) == {}
    assert found(moderator, "sourdough") == {}
    assert titles(found(moderator, "invite")) == []


@pytest.mark.parametrize("number", [2, 20])
def test_queries_do_not_grow(client_of, administrator, number, django_assert_max_num_queries):
    for _time in range(number):
        course = CourseFactory.create(title="Sourdough")
        LessonFactory.create(course=course, title="Sourdough")
        PaymentFactory.create(course=course, title="Sourdough")
    client = client_of(administrator)
    with django_assert_max_num_queries(45):
        client.get(reverse("admin:search"), {"s": "sourdough"})


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_it_is_opened_and_used_by_keys_alone(page: Page, enter, administrator):
    enter(administrator)
    page.goto("/admin/")
    page.keyboard.press("Control+k")
    offered = page.locator("#command-results li")
    expect(offered.first).to_contain_text("Add a course")
    page.keyboard.type("grant")
    expect(offered).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/lms/access/add/")
