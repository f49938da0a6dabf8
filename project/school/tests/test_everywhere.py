"""Where the school's name and logo are seen."""

import re

import pytest
from django.urls import reverse

from payments.tests.factories import PaymentFactory
from people.services import second_factor
from project.school.tests.factories import SchoolFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def school():
    return SchoolFactory.create(
        name="Oak <School>",
        logo="logos/0f9a6c2d7b314e58-640x213.webp",
        colour="#ffdd00",
        email="desk@oak.example",
        phone="+7 495 123-45-67",
        address="1 Oak Street\nMoscow",
        bank_details="Account 1",
        time_zone="Asia/Tokyo",
    )


def test_meta_tells_anybody_the_school_and_no_more(school, api, settings):
    site = settings.SITE_URL
    answer = api(None).get("meta")
    assert answer.json()["school"] == {
        "name": "Oak <School>",
        "logo": {
            "url": f"{site}/media/{school.logo}",
            "width": 640,
            "height": 213,
            "thumbnail": f"{site}/media/logos/0f9a6c2d7b314e58-thumbnail.webp",
        },
        "colour": "#ffdd00",
        "text_colour": "#000000",
        "email": "desk@oak.example",
        "phone": "+7 495 123-45-67",
        "address": "1 Oak Street\nMoscow",
        "time_zone": "Asia/Tokyo",
    }
    assert "Account 1" not in answer.text


@pytest.mark.parametrize("page", ["admin:login", "admin_password_forgotten"])
def test_pages_before_the_log_in_have_name_and_logo(school, client, page):
    text = client.get(reverse(page)).text
    assert "Oak &lt;School&gt;" in text
    assert f'src="/media/{school.logo}"' in text


def test_the_admin_has_name_logo_and_colour(school, client_of, moderator):
    text = client_of(moderator).get("/admin/").text
    assert re.search(r"<title>[^<]*Oak &lt;School&gt;", text)
    assert 'src="/media/logos/0f9a6c2d7b314e58-thumbnail.webp"' in text
    assert "--color-primary-600: oklch(from #ffdd00 48% calc(c * 1) h);" in text


def test_a_receipt_has_name_logo_and_contact(school, client):
    payment = PaymentFactory.create(paid=True)
    text = client.get(reverse("payments:receipt", args=[payment.token])).text
    assert "Oak &lt;School&gt;" in text
    assert f'src="/media/{school.logo}"' in text
    assert "+7 495 123-45-67" in text


def test_codes_of_a_second_step_are_the_school_s(school, moderator):
    key = second_factor.new_key()
    assert "issuer=Oak%20%3CSchool%3E" in second_factor.address_of_key(moderator, key)
