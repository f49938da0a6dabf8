"""An accountant with the ready role goes through a bank statement, in a browser and in Russian.

`--pictures FOLDER` keeps pictures of the pages on two screens, light and dark.
"""

from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, expect

from lms.models import Access
from lms.tests.factories import CourseFactory
from payments.models import Payment
from payments.tests.factories import PaymentFactory
from people.models import Role
from people.tests.factories import UserFactory
from project.school.tests.factories import SchoolFactory

SCHOOL = ZoneInfo("Asia/Vladivostok")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.any_database,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def russian(page: Page, live_server) -> None:
    name = settings.LANGUAGE_COOKIE_NAME
    page.context.add_cookies([{"name": name, "value": "ru", "url": live_server.url}])


@pytest.fixture
def accountant(moderators, russian):
    user = UserFactory.create(is_staff=True, language="ru")
    user.groups.add(
        *Role.objects.filter(name__in=["accountants", "support"]).values_list("pk", flat=True)
    )
    return user


@pytest.fixture
def bread(db):
    return CourseFactory.create(published=True, title="Хлеб на закваске", price=Decimal("4900.00"))


@pytest.fixture
def on_screens(page: Page, pictures):
    """Keep pictures on both screens, light and dark."""

    def keep(name: str) -> None:
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
            for scheme in ("dark", "light"):
                page.evaluate(f"document.documentElement.className = '{scheme}'")
                pictures(page, f"{name}-{width}-{scheme}")

    return keep


def choose(page: Page, column: str, text: str) -> None:
    """Look for a row by what is typed, and take it."""
    page.locator(f"#id_{column} + .select2").click()
    page.locator(".select2-search__field").fill(text)
    page.locator(".select2-results__option", has_text=text).first.click()


def test_money_without_an_order_is_recorded(page, enter, accountant, bread, learner, on_screens):
    SchoolFactory.create(time_zone="Asia/Vladivostok")
    enter(accountant)
    page.goto(f"/admin/people/user/{learner.pk}/change/")
    page.get_by_role("link", name="Внести платёж").first.click()
    expect(page.locator("#id_payer")).to_have_value(str(learner.pk))
    choose(page, "course", "закваске")
    expect(page.get_by_label("Сумма")).to_have_value("4900,00")
    page.get_by_label("Сумма").fill("4 500,00")
    page.get_by_label("День поступления денег").fill("2026-11-03")
    page.get_by_label("Номер в банке").fill("СБП-2041")
    page.locator("#id_reason").fill("Перевод без заказа, скидка 400")
    on_screens("record")
    page.get_by_role("button", name="Внести платёж").click()
    expect(page.get_by_text("Платёж внесён")).to_be_visible()
    payment = Payment.objects.get()
    assert (payment.amount, payment.bank_reference) == (Decimal(4500), "СБП-2041")
    assert payment.paid_at
    assert timezone.localdate(payment.paid_at, SCHOOL) == date(2026, 11, 3)
    assert Access.objects.held_by(learner).get().target == bread
    on_screens("recorded")
    # The second tab, which was open all the time.
    page.goto(f"/admin/payments/payment/add/?payer={learner.pk}&course={bread.pk}")
    page.locator("#id_reason").fill("Ещё раз")
    page.get_by_role("button", name="Внести платёж").click()
    expect(page.get_by_role("link", name="4 500,00 ₽")).to_be_visible()
    on_screens("refused")
    assert Payment.objects.count() == 1


def test_thirty_transfers_are_confirmed_at_once(page, enter, accountant, bread, on_screens):
    for number in range(30):
        PaymentFactory.create(
            payer=UserFactory.create(first_name="Анна", last_name=f"Иванова {number}"),
            course=bread,
            amount=Decimal("4900.00"),
            method="transfer",
            created_at=timezone.now() - timedelta(days=number, hours=2),
        )
    enter(accountant)
    page.goto("/admin/payments/payment/?attention=confirm")
    page.locator("#action-toggle").check()
    page.get_by_label("Выберите действие").select_option(label="Подтвердить")
    page.get_by_role("button", name="Запустить").click()
    page.get_by_label("День поступления денег").first.fill("2026-11-03")
    page.locator("#id_reason").fill("Выписка за 3 ноября")
    page.get_by_label("Анна Иванова 7", exact=False).first.uncheck()
    page.get_by_label("Анна Иванова 0: Номер в банке").fill("СБП-2041")
    page.get_by_label("Анна Иванова 0: День поступления денег").fill("2026-10-30")
    expect(page.get_by_text("29 · 142 100,00 ₽")).to_be_visible()
    on_screens("thirty")
    page.get_by_role("button", name="Подтвердить").click()
    expect(page.get_by_text("Подтверждено 29 платежей: 142 100,00 ₽.")).to_be_visible()
    on_screens("confirmed")
    assert Payment.objects.filter(status="paid").count() == 29
