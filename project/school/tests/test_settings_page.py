"""The page on which administrators say what the school is."""

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from payments.tests.factories import PaymentFactory
from project.school.models import School
from project.school.tests.factories import SchoolFactory, png

pytestmark = pytest.mark.django_db

PAGE = "/admin/school/school/1/change/"
EMPTY = {
    **dict.fromkeys(("name", "colour", "email", "phone", "address", "tax_id", "time_zone"), ""),
    **dict.fromkeys(("sender_name", "cash_instructions", "transfer_instructions"), ""),
    "bank_details": "",
    "daily_mail_hour": "9",
}


@pytest.fixture
def save(client_of, administrator, django_capture_on_commit_callbacks):
    """Save the page with some fields filled in."""
    client = client_of(administrator)

    def post(**fields):
        with django_capture_on_commit_callbacks(execute=True):
            return client.post(PAGE, EMPTY | fields)

    return post


def test_the_menu_leads_to_the_form(client_of, administrator):
    client = client_of(administrator)
    address = reverse("admin:school_school_changelist")
    assert address in client.get("/admin/").text
    page = client.get(address, follow=True)
    assert page.redirect_chain == [(PAGE, 302)]
    assert page.status_code == 200
    assert not School.objects.exists()


@pytest.mark.parametrize("person", ["moderator", "support"])
def test_others_neither_see_nor_open_it(client_of, request, person):
    client = client_of(request.getfixturevalue(person))
    assert reverse("admin:school_school_changelist") not in client.get("/admin/").text
    for address in (PAGE, reverse("admin:school_school_changelist")):
        assert client.get(address).status_code == 403
    assert client.post(PAGE, EMPTY | {"name": "Oak"}).status_code == 403
    assert not School.objects.exists()


def test_the_form_shows_what_is_in_effect(client_of, administrator, settings):
    settings.SCHOOL_NAME, settings.TIME_ZONE = "Bread and Salt", "Europe/Moscow"
    settings.PAYMENT_INSTRUCTIONS_TRANSFER = "To account 1."
    page = client_of(administrator).get(PAGE).text
    assert 'placeholder="Bread and Salt"' in page
    assert 'placeholder="To account 1."' in page
    assert "Default: Europe/Moscow" in page


def test_what_is_saved_is_in_effect_at_once(save, api, learner):
    payment = PaymentFactory.create(payer=learner, method="transfer")
    answer = save(
        name="Oak School", transfer_instructions="Name your order.", bank_details="Account 1"
    )
    assert answer.status_code == 302
    assert api(None).get("meta").json()["school_name"] == "Oak School"
    said = api(learner).get(f"payments/{payment.pk}").json()["instructions"]
    assert said == "Name your order.\n\nAccount 1"


def test_lines_end_as_everywhere_else(save, api, learner, administrator):
    payment = PaymentFactory.create(payer=learner, method="transfer")
    for _twice in range(2):
        save(bank_details="Account 1\r\nBank 2")
    said = api(learner).get(f"payments/{payment.pk}").json()["instructions"]
    assert said == "Account 1\nBank 2"
    messages = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    assert ["Bank details" in message for message in messages] == [True, False]


def test_a_logo_is_kept_as_a_small_picture_and_can_be_taken_away(save):
    save(logo=png())
    name = str(School.objects.get().logo)
    assert name.startswith("logos/")
    assert name.endswith("-640x213.webp")
    save(logo=png("red"))
    assert not default_storage.exists(name)
    other = str(School.objects.get().logo)
    assert default_storage.exists(other)
    save(**{"logo-clear": "on"})
    assert not School.objects.get().logo
    assert not default_storage.exists(other)


def test_a_logo_is_a_picture(save):
    answer = save(logo=SimpleUploadedFile("x.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"))
    assert "not a JPEG, PNG or WebP picture" in answer.text
    assert not School.objects.exists()


@pytest.mark.any_database
@pytest.mark.parametrize(
    "refused",
    [
        {"name": "Oak\nBcc: x@evil.example"},
        {"sender_name": "Oak\rx"},
        {"sender_name": "Oak\u2028x"},
        {"sender_name": "\u202eevil"},
        {"name": "Oak\u200f"},
        {"name": "Oak\x07"},
        {"name": "x" * 101},
        {"colour": "red"},
        {"colour": "#12345g"},
        {"phone": "ask Anna"},
        {"email": "nobody"},
        {"time_zone": "Mars/Base"},
        {"daily_mail_hour": "24"},
    ],
    ids=lambda refused: ascii(refused)[:40],
)
def test_what_makes_no_sense_is_refused(save, refused):
    answer = save(**refused)
    assert answer.status_code == 200
    assert "errorlist" in answer.text or "errors" in answer.text
    assert not School.objects.exists()


def test_nobody_overwrites_what_they_have_not_seen(save):
    seen = SchoolFactory.create(name="Oak").version
    save(name="Elm", seen_version=seen)
    assert "Somebody has changed this" in save(name="Ash", seen_version=seen).text
    assert School.objects.get().name == "Elm"


def test_the_history_says_who_changed_it(save, client_of, administrator):
    save(name="Oak")
    page = client_of(administrator).get(reverse("admin:school_school_history", args=[1])).text
    assert str(administrator) in page
    assert "School name" in page
