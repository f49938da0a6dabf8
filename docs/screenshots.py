"""Takes the pictures of the README anew: `uv run python -m docs.screenshots`.

It makes a school of its own in a temporary database, at a fixed moment and from a fixed seed, serves
it as in production and photographs the main pages with Debian's Chromium.
"""

import json
import logging
import os
import random
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import django
import playwright.sync_api as playwright
import time_machine
from PIL import Image

if TYPE_CHECKING:
    from people.models import User

FOLDER = Path(__file__).parent / "pictures"
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
# The school's, so that no page tells two times.
ZONE = "Europe/Moscow"
# The menu stands beside pages that are wider than 1,280 pixels.
DESKTOP, TALL, PHONE = (1440, 900), (1440, 1480), (390, 780)
# Name, address, size and colours of each picture; first those of the front, with who looks at it.
FRONT = (
    ("front-courses-light", "/", DESKTOP, "light", "lev"),
    ("front-lesson-dark", "/learn/2/8", DESKTOP, "dark", "kim"),
    ("front-editor-light", "/authoring/1", TALL, "light", "anna"),
    ("front-course-phone-light", "/courses/4", PHONE, "light", "vera"),
    ("front-learning-phone-dark", "/learn", PHONE, "dark", "kim"),
)
PICTURES = (
    ("dashboard-light", "/admin/", DESKTOP, "light"),
    ("dashboard-dark", "/admin/", DESKTOP, "dark"),
    ("courses-light", "/admin/lms/course/", DESKTOP, "light"),
    ("history-dark", "/admin/lms/course/1/history/", DESKTOP, "dark"),
    ("payment-light", "/admin/payments/payment/{payment}/change/", TALL, "light"),
    ("dashboard-phone-dark", "/admin/", PHONE, "dark"),
    ("people-phone-light", "/admin/people/user/", PHONE, "light"),
)
NAMES = ("Ivan", "Olga", "Peter", "Maria", "Oleg", "Nina", "Paul", "Rita", "Tom", "Vera")


def main() -> None:
    with served_school() as url:
        take_all(url)


@contextmanager
def served_school() -> Iterator[str]:
    """A school in a temporary database at NOW, served; gives its address."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.test_settings"
    # Playwright keeps an event loop in this thread, so that Django takes it for asynchronous.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    logging.disable(logging.INFO)
    django.setup()
    from django.conf import settings  # noqa: PLC0415
    from django.test.utils import setup_databases, teardown_databases  # noqa: PLC0415
    from pytest_django.live_server_helper import LiveServer  # noqa: PLC0415

    databases = setup_databases(verbosity=0, interactive=False)
    with time_machine.travel(NOW - timedelta(hours=1), tick=False):
        make_demo_school()
    with time_machine.travel(NOW, tick=False):
        make_school()
        server = LiveServer("localhost")
        # Pictures of the school, and the way back from Stripe, lead to the server that is there.
        settings.SITE_URL = settings.FRONTEND_URL = server.url
        try:
            yield server.url
        finally:
            server.stop()
    teardown_databases(databases, verbosity=0)


def make_demo_school() -> None:
    from django.core.management import call_command  # noqa: PLC0415

    from project import demo  # noqa: PLC0415

    call_command("loaddata", "groups", verbosity=0)
    demo.load()


def make_school() -> None:
    """A month of payments, one of which was decided, and a worker at work."""
    from django.apps import apps  # noqa: PLC0415

    from lms.models import Course, Subscription  # noqa: PLC0415
    from lms.services import learning  # noqa: PLC0415
    from payments.mails import RECEIVED  # noqa: PLC0415
    from payments.models import Payment  # noqa: PLC0415
    from payments.services import refunds, staff  # noqa: PLC0415
    from people.models import User  # noqa: PLC0415
    from project.mail.models import Delivery  # noqa: PLC0415

    administrator = User.objects.get(is_superuser=True)
    chance = random.Random(7)  # noqa: S311 - the same school each time
    for number in range(60):
        User.objects.create(
            email=f"learner{number}@parta.example",
            first_name=NAMES[number % len(NAMES)],
            password="!",  # noqa: S106 - no password at all
            date_joined=NOW - timedelta(days=chance.uniform(0, 45)),
            last_login=NOW - timedelta(days=chance.uniform(0, 20)),
            email_confirmed_at=NOW,
        )
    people = list(User.objects.filter(email__startswith="learner").order_by("pk"))
    courses = list(Course.objects.published().filter(price__gt=0).order_by("pk"))
    for person in people:
        course = chance.choice(courses)
        at = NOW - timedelta(days=chance.uniform(0, 29))
        method = chance.choice(["cash", "transfer", "transfer"])
        fields = {"title": course.title, "amount": Decimal(course.price), "currency": "RUB"}
        payment = Payment.objects.create(
            payer=person, course=course, method=method, created_at=at, **fields
        )
        with time_machine.travel(at, tick=False):
            staff.confirm_payment(payment=payment, by=administrator, reason="Bank statement")
        Delivery.objects.of(RECEIVED, payment.pk).update(status="sent", finished_at=at)
        Subscription.objects.create(user=person, course=course, created_at=at)
        lessons = list(course.lessons.order_by("position"))
        for lesson in lessons[: chance.randrange(len(lessons) + 1)]:
            learning.complete_lesson(user=person, lesson=lesson)
    last = Payment.objects.latest("pk")
    refunds.refund_payment(payment=last, by=administrator, reason="Bought twice by mistake")
    times = {"started": NOW, "stopped": NOW, "success": True}
    task = {"id": "1" * 32, "name": "canary", "func": "project.common.background.tasks.canary"}
    apps.get_model("django_q.Success").objects.create(**task, **times)


def session_of(person: "User") -> dict[str, str]:
    """The cookie of somebody who is logged in."""
    from django.conf import settings  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    client = Client()
    client.force_login(person)
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value}


def take_all(url: str) -> None:
    from payments.models import Payment  # noqa: PLC0415
    from people.models import User  # noqa: PLC0415

    cookie = session_of(User.objects.get(is_superuser=True)) | {"url": url}
    payment = Payment.objects.latest("pk").pk
    FOLDER.mkdir(exist_ok=True)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for name, address, size, scheme in PICTURES:
            page = open_page(browser, url, size, scheme)
            page.context.add_cookies([cookie])  # type: ignore[list-item]
            page.goto(address.format(payment=payment), wait_until="networkidle")
            page.wait_for_timeout(1200)  # charts grow for a second
            save(name, page.screenshot())
            page.context.close()
        for name, address, size, scheme, who in FRONT:
            page = open_page(browser, url, size, scheme)
            page.add_init_script(f"localStorage.setItem('parta.tokens', {tokens_of(who)!r})")
            page.goto(address, wait_until="networkidle")
            save(name, page.screenshot())
            page.context.close()
        browser.close()


def open_page(
    browser: playwright.Browser, url: str, size: tuple[int, int], scheme: str
) -> playwright.Page:
    return browser.new_context(
        base_url=url,
        locale="en-GB",
        timezone_id=ZONE,
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    ).new_page()


def tokens_of(who: str) -> str:
    """As the front keeps them."""
    from people.models import User  # noqa: PLC0415
    from people.tokens import issue_pair  # noqa: PLC0415

    person = User.objects.get(email=f"{who}@parta.example")
    person.language = "en"
    person.save(update_fields=["language"])
    return json.dumps(asdict(issue_pair(person)) | {"until": 4e12})


def save(name: str, png: bytes) -> None:
    path = FOLDER / f"{name}.webp"
    Image.open(BytesIO(png)).convert("RGB").save(path, quality=82, method=6)
    sys.stdout.write(f"{path.name}: {path.stat().st_size // 1024} kB\n")


if __name__ == "__main__":
    main()
