"""What is in effect of the school's settings, and when a change of them is seen."""

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from project.school.current import KEPT_SECONDS, current_school, forget_school
from project.school.models import School
from project.school.services import update_school
from project.school.tests.factories import SchoolFactory

pytestmark = pytest.mark.django_db

# Of the settings, by the field that takes its place.
SETTINGS = {
    "name": "SCHOOL_NAME",
    "address": "SCHOOL_ADDRESS",
    "tax_id": "SCHOOL_TAX_ID",
    "email": "SCHOOL_EMAIL",
    "cash_instructions": "PAYMENT_INSTRUCTIONS_CASH",
    "transfer_instructions": "PAYMENT_INSTRUCTIONS_TRANSFER",
    "time_zone": "TIME_ZONE",
}


def test_an_empty_field_leaves_what_the_settings_say(settings):
    for field, setting in SETTINGS.items():
        setattr(settings, setting, "UTC" if field == "time_zone" else f"From {setting}")
    SchoolFactory.create(phone="+7 495 123-45-67")
    school = current_school()
    assert {field: getattr(school, field) for field in SETTINGS} == {
        field: getattr(settings, setting) for field, setting in SETTINGS.items()
    }


def test_what_administrators_say_goes_before_the_settings():
    said = {field: f"Said of {field}" for field in SETTINGS} | {"time_zone": "Asia/Tokyo"}
    SchoolFactory.create(**said)
    school = current_school()
    assert {field: getattr(school, field) for field in SETTINGS} == said
    assert school.zone.key == "Asia/Tokyo"


def test_a_time_zone_that_is_not_known_any_more_is_that_of_the_settings(
    client_of, administrator, settings
):
    SchoolFactory.create(time_zone="Europe/Atlantis")
    assert current_school().zone.key == settings.TIME_ZONE
    page = client_of(administrator).get(reverse("admin:school_school_change", args=[1]))
    assert page.status_code == 200


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, "Letters of Parta"),
        ({"name": "Oak"}, "Oak"),
        ({"name": "Oak", "sender_name": "Anna of Oak"}, "Anna of Oak"),
    ],
)
def test_the_sender_is_called_as_the_school_unless_it_says_otherwise(settings, said, expected):
    settings.DEFAULT_FROM_EMAIL = "Letters of Parta <noreply@school.example>"
    SchoolFactory.create(**said)
    assert current_school().sender_name == expected


@pytest.mark.parametrize(
    ("colour", "text"),
    [
        ("", "#ffffff"),
        ("#000000", "#ffffff"),
        ("#ffffff", "#000000"),
        ("#ffdd00", "#000000"),
        ("#767676", "#ffffff"),  # 4.54 with white
        ("#777777", "#000000"),  # 4.48
        ("#FF0000", "#000000"),
    ],
)
def test_text_on_the_colour_can_be_read(colour, text):
    SchoolFactory.create(colour=colour)
    assert current_school().text_colour == text


def test_the_row_is_read_once_in_some_seconds(ticks, django_assert_num_queries):
    forget_school()
    with django_assert_num_queries(1):
        current_school()
    School.objects.create(pk=1, name="Oak")  # as another process would
    ticks.now += KEPT_SECONDS - 1
    with django_assert_num_queries(0):
        assert current_school().name == "Parta"
    ticks.now += 1
    with django_assert_num_queries(1):
        assert current_school().name == "Oak"


def test_a_process_sees_its_own_change_at_once(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        update_school(changes={"name": "Oak"})
    assert current_school().name == "Oak"


@pytest.mark.parametrize(
    "values", [{"pk": 2}, {"pk": 1, "colour": "red"}, {"pk": 1, "daily_mail_hour": 24}]
)
def test_the_database_holds_one_row_that_makes_sense(values):
    with pytest.raises(IntegrityError), transaction.atomic():
        School.objects.create(**values)
