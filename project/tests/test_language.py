"""The admin speaks the language of its reader, and Russian as its grammar asks for."""

import re
from html import unescape
from urllib.parse import urlsplit

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils.timezone import localdate
from django.utils.translation import override

from lms.services import authoring
from lms.tests.factories import CourseFactory, SubscriptionFactory
from payments.tests.factories import PaymentFactory
from people.models import Role, User
from people.one_time_links import invitation_link
from people.services.invitations import invite
from people.tests.factories import PASSWORD, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def read(client_of, administrator):
    """Open a page of the admin, or send a form to it, and read it in Russian."""
    client = client_of(administrator)
    client.post(reverse("set_language"), {"language": "ru"})

    def open_page(address, form=None):
        ask = client.get if form is None else client.post
        return unescape(ask(address, form or {}, follow=True).content.decode())

    return open_page


def title_of(page):
    return re.findall(r"<title>\s*(.*?)\s*\|", page, re.DOTALL)[0]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("people_user_add", "Добавить человека"),
        ("people_role_add", "Добавить роль"),
        ("people_user_changelist", "Люди"),
    ],
)
def test_a_title_names_what_is_done_in_its_case(read, name, title):
    assert title_of(read(reverse(f"admin:{name}"))) == title


def test_the_title_of_a_row_has_its_case(read, moderators):
    role = Role.objects.get(name="moderators")
    page = read(reverse("admin:people_role_change", args=[role.pk]))
    assert re.search(r"<title>[^<]*\| Изменить роль \|", page)


def test_a_question_about_many_counts_them(read):
    people = UserFactory.create_batch(5)
    form = {"action": "block_many", "_selected_action": [person.pk for person in people]}
    assert "Заблокировать: 5 человек" in read(reverse("admin:people_user_changelist"), form)


def test_what_was_saved_and_deleted_is_told_without_a_gender(read):
    course = CourseFactory.create(title="Хлеб")
    page = read(reverse("admin:lms_course_delete", args=[course.pk]))
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)"', page))
    said = read(
        reverse("admin:lms_course_delete", args=[course.pk]),
        {**hidden, "post": "yes", "typed": "Хлеб"},
    )
    assert "Удалено: курс «Хлеб»." in said


# --- Whose language -----------------------------------------------------------------------------

ADMIN, LOG_IN = reverse("admin:index"), reverse("admin:login")
CHOICE = reverse("set_language")


def language_of(response):
    assert f'<html lang="{response.headers["Content-Language"]}"' in response.text
    return response.headers["Content-Language"]


def log_in(client, user, address=LOG_IN):
    form = {"username": user.email, "password": PASSWORD}
    return client.post(address, form, follow=True)


def test_the_admin_speaks_the_language_of_the_profile(client, administrator):
    administrator.language = "ru"
    administrator.save()
    client.cookies["django_language"] = "en"
    assert language_of(log_in(client, administrator)) == "ru"
    headers = {"Accept-Language": "en"}
    assert language_of(client.get(ADMIN, headers=headers)) == "ru"
    assert language_of(client.get("/admin/nothing/here/", headers=headers, follow=True)) == "ru"


def test_what_refuses_a_request_speaks_it_too(administrator):
    administrator.language = "ru"
    administrator.save()
    client = Client(enforce_csrf_checks=True)
    client.force_login(administrator)
    refused = client.post(ADMIN, headers={"Accept-Language": "en"})
    assert refused.status_code == 403
    assert refused.headers["Content-Language"] == "ru"


def test_the_switch_keeps_the_language_in_the_profile(client_of, administrator):
    client = client_of(administrator)
    answer = client.post(CHOICE, {"language": "ru", "next": ADMIN}, follow=True)
    assert language_of(answer) == "ru"
    administrator.refresh_from_db()
    assert administrator.language == "ru"


@pytest.mark.parametrize("language", ["de", "", "x" * 300])
def test_the_switch_takes_only_languages_that_there_are(client_of, administrator, language):
    client_of(administrator).post(CHOICE, {"language": language, "next": ADMIN})
    administrator.refresh_from_db()
    assert administrator.language == "en"


def test_nobody_is_switched_by_a_link(client_of, administrator):
    assert client_of(administrator).get(CHOICE, {"language": "ru"}).status_code == 405
    administrator.refresh_from_db()
    assert administrator.language == "en"


@pytest.mark.parametrize("name", ["admin:login", "admin_password_forgotten", "admin_invitation"])
def test_pages_before_the_log_in_offer_the_languages(client, db, name):
    page = client.get(reverse(name), {"next": "/admin/"})
    assert language_of(page) == "en"
    forms = re.findall(
        r'name="next" value="([^"]+)">\s*<button name="language" value="(\w+)"', page.text
    )
    offered = {code: unescape(address) for address, code in forms}
    assert [*offered] == ["en", "ru"]
    chosen = client.post(CHOICE, {"language": "ru", "next": offered["ru"]}, follow=True)
    assert language_of(chosen) == "ru"
    assert chosen.request["PATH_INFO"] == reverse(name)
    assert chosen.request["QUERY_STRING"] == "next=%2Fadmin%2F&language=ru"


def test_who_chose_before_the_log_in_has_it_from_then_on(client, administrator):
    client.post(CHOICE, {"language": "ru"})
    # Chosen for another page, perhaps by somebody else.
    assert language_of(log_in(client, administrator)) == "en"
    client.post(reverse("admin:logout"))
    assert language_of(log_in(client, administrator, f"{LOG_IN}?language=ru")) == "ru"
    administrator.refresh_from_db()
    assert administrator.language == "ru"


def test_who_was_invited_and_chose_has_it_from_then_on(client, administrator, moderators):
    role = Role.objects.get(name="moderators")
    person = invite(email="vera@school.example", profile={}, roles=[role], by=administrator)
    client.get(urlsplit(invitation_link(person.invitation)).path)
    own = {"new_password": "своё слово", "again": "своё слово"}
    client.post(f"{reverse('admin_invitation')}?language=ru", own)
    person.refresh_from_db()
    assert person.has_usable_password()
    assert person.language == "ru"


def test_a_new_account_reads_what_the_school_does(settings, db):
    settings.LANGUAGE_CODE = "ru"
    call_command("csu", email="ada@school.example", password=PASSWORD)
    assert User.objects.get().language == "ru"


# --- What was written in another language -------------------------------------------------------


def in_admin(client, name, row, **answers):
    """Open the question and answer it."""
    address = reverse(f"admin:{name}", args=[row.pk])
    asked = client.get(address).context
    hidden = {field.name: field.value() for field in asked["form"].hidden_fields()}
    return client.post(address, {"seen_state": asked["seen"], **hidden, **answers})


@pytest.mark.parametrize("wrote", ["en", "ru"])
def test_the_log_is_read_in_the_language_of_the_reader(client_of, administrator, wrote, moderators):
    client = client_of(administrator)
    client.post(CHOICE, {"language": wrote})
    person = UserFactory.create()
    course = CourseFactory.create(title="Хлеб", published=True)
    payment = PaymentFactory.create(payer=person, method="transfer")
    SubscriptionFactory.create(course=course)
    authoring.update_course(course=course, changes={"title": "Soda"}, by=course.owner)
    in_admin(client, "people_user_block", person, reason="Spam")
    in_admin(client, "payments_payment_confirm", payment, reason="Выписка", bank_reference="77")
    in_admin(client, "lms_pendingupdate_drop", course)
    client.post(
        reverse("admin:lms_course_changelist"),
        {"action": "unpublish", "_selected_action": [course.pk]},
    )
    told = {}
    for language in ("en", "ru"):
        with override(language):
            told[language] = [
                entry.get_change_message() for entry in LogEntry.objects.order_by("pk")
            ]
    day = localdate().isoformat()
    assert told["en"] == [
        "Block: Spam",
        f"Confirm: Выписка · {day} · 77",
        "Drop; Course renamed: Хлеб → Soda",
        "Unpublished",
    ]
    assert told["ru"] == [
        "Заблокировать: Spam",
        f"Подтвердить: Выписка · {day} · 77",
        "Не отправлять; Курс переименован: Хлеб → Soda",
        "Снято с публикации",
    ]


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Block: Spam",
        "[Block",
        '[{"x": 1}]',
        '[{"changed": {"fields": ["Email"]}}]',
    ],
)
def test_what_the_log_had_before_is_shown_as_it_was(message):
    entry = LogEntry(change_message=message)
    expected = {
        '[{"changed": {"fields": ["Email"]}}]': "Changed Email.",
        '[{"x": 1}]': "No fields changed.",
    }.get(message, message)
    assert entry.get_change_message() == expected
