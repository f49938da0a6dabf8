"""The addresses that mails and Stripe lead to are those that the front end is promised."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings

from project.common import frontend

PAGES: dict[str, Callable[..., Any]] = {
    "/": frontend.start_page,
    "/courses/{course_id}": frontend.course_page,
    "/learn/{course_id}/{lesson_id}": frontend.lesson_page,
    "/payments/{payment_id}": frontend.payment_page,
    "/profile": frontend.profile_page,
    "/login": frontend.login_page,
    "/password-reset/{uid}/{token}": frontend.password_reset_page,
    "/email/{uid}/{token}": frontend.email_page,
    "/reactivation/{uid}/{token}": frontend.reactivation_page,
}


def test_the_documented_addresses_are_the_ones_that_are_made():
    text = (settings.BASE_DIR / "docs" / "frontend.md").read_text()
    assert re.findall(r"^\| `(/[^`]*)`", text, re.MULTILINE) == list(PAGES)
    for path, make in PAGES.items():
        names = re.findall(r"\{(\w+)\}", path)
        values = dict(zip(names, "78", strict=False))
        assert make(**values) == "https://school.example" + path.format(**values)


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_the_front_that_ships_has_them(client, path):
    page = client.get(re.sub(r"\{\w+\}", "7", path))
    assert page.status_code == 200
    assert "front/index.html" in [template.name for template in page.templates]


def test_the_introduction_of_the_api_has_the_same_addresses():
    text = (settings.BASE_DIR / "templates" / "api" / "introduction.md").read_text()
    assert re.findall(r"^- `(/[^`]*)`", text, re.MULTILINE) == list(PAGES)


def test_no_other_module_makes_an_address_of_the_front_end():
    found = {
        str(path.relative_to(settings.BASE_DIR))
        for app in ("lms", "payments", "people", "project")
        for path in (settings.BASE_DIR / app).rglob("*.py")
        if "tests" not in path.parts and "FRONTEND_URL}/" in path.read_text()
    }
    assert found == {"project/common/frontend.py"}
