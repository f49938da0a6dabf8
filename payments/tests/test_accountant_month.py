"""A month of an accountant with the ready role, in a browser and in Russian: from the orders of learners
to the same book in another school. People, courses and time are all that is not done through a door.

`--pictures FOLDER` keeps pictures of each page on two screens, light and dark, and in English, too.
"""

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
import time_machine
from playwright.sync_api import FilePayload, Locator, Page, expect

from lms.models import Access
from lms.tests.factories import CourseFactory
from payments.models import ClosedMonth, LedgerEntry, Payment
from people.models import Role, User
from people.tests.factories import PASSWORD, UserFactory
from project.school.tests.factories import SchoolFactory

pytestmark = [
    pytest.mark.browser,
    pytest.mark.any_database,
    pytest.mark.django_db(transaction=True),
]

TRANSFERS = 30
PRICE = Decimal("4900.00")
# Until October is closed, as docs/architecture.md has it.
PAGES = 30
# Of another book: titles above the header, a total below, and all that can be wrong in it.
MESSY = """\
ИП Иванова;;;;;;;
Касса за ноябрь 2026 г.;;;;;;;
Оплачен;Сумма;Эл. почта;Номер курса;Внешний номер;Валюта;Состояние;Способ оплаты
20.11.2026;4 900,00;anna1@school.example;{course};К-1;руб.;Оплачен;наличные
21.11.2026;1 500,50;{unknown};{course};К-2;руб.;оплачен;Наличные
{future};4 900,00;anna3@school.example;{course};К-3;руб.;оплачен;перевод
;4 900,00;anna4@school.example;{course};{known};руб.;не прошёл;перевод
Итого:;11 300,50;;;;;;
"""


@pytest.fixture
def clock(settings):
    # Cookies with a date would be of the time of the test for us, and of today for the browser.
    settings.SESSION_EXPIRE_AT_BROWSER_CLOSE = True
    settings.CSRF_COOKIE_AGE = None
    with time_machine.travel(datetime(2026, 10, 5, 9, tzinfo=UTC)) as moving:
        yield moving


class Desk:
    """What the accountant does with pages, and pictures of what they see."""

    def __init__(self, page: Page, url: str, pictures: Any, schemes: tuple[str, ...]) -> None:
        self.page, self.url, self.pictures, self.schemes = page, url, pictures, schemes
        self.seen: dict[str, str] = {}
        self.loaded: list[str] = []
        page.on("domcontentloaded", lambda one: self.loaded.append(one.url))

    def log_in(self, person: User) -> None:
        """By the form, as after each pause."""
        self.page.context.clear_cookies()
        self.speak("ru")
        self.page.goto("/admin/")
        self.page.locator("#id_username").fill(person.email)
        self.page.locator("#id_password").fill(PASSWORD)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def speak(self, language: str) -> None:
        User.objects.filter(is_staff=True).update(language=language)

    def look(self, name: str) -> None:
        """It fits on a phone and on a desk."""
        self.seen.setdefault(name, self.page.url)
        for width in (390, 1440):
            self.page.set_viewport_size({"width": width, "height": 900})
            fits = "document.documentElement.scrollWidth <= window.innerWidth"
            self.page.wait_for_function(fits)  # charts take a moment
            for scheme in self.schemes:
                self.page.evaluate(f"document.documentElement.className = '{scheme}'")
                self.pictures(self.page, f"{name}-{width}-{scheme}")

    def look_again_in_english(self) -> None:
        self.speak("en")
        for name, url in list(self.seen.items()) if self.schemes else ():
            self.page.goto(url)
            self.look(f"{name}-en")

    def press(self, button: Locator) -> None:
        """Be on the page that it leads to."""
        with self.page.expect_navigation():
            button.click()

    def payment(self, payment: Payment) -> None:
        self.page.goto(f"/admin/payments/payment/{payment.pk}/change/")

    def act(self, button: str, picture: str, **answers: str) -> None:
        """Press a button of the page, and answer what the next one asks."""
        self.press(self.page.get_by_role("link", name=button, exact=True))
        for name, answer in answers.items():
            self.page.locator(f"#id_{name}").fill(answer)
        self.look(picture)
        self.press(self.page.get_by_role("button", name=button, exact=True))

    def choose(self, column: str, text: str) -> None:
        """Look for a row by what is typed, and take it."""
        self.page.locator(f"#id_{column} + .select2").click()
        self.page.locator(".select2-search__field").fill(text)
        self.page.locator(".select2-results__option", has_text=text).first.click()

    def download(self, form: str) -> bytes:
        """Answer in which format to export."""
        self.press(self.page.get_by_role("link", name="Выгрузить"))
        self.page.locator("#id_format").select_option(form)
        self.look("export")
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name="Выгрузить").click()
        return download.value.path().read_bytes()

    def check(self, name: str, content: bytes) -> None:
        """Have a table checked by the import."""
        table = FilePayload(name=name, mimeType="application/octet-stream", buffer=content)
        self.page.locator("input[type=file]").set_input_files(table)
        self.press(self.page.get_by_role("button", name="Проверить"))


def cells(row: Locator) -> list[str]:
    """As they are read: a space is a space."""
    return [re.sub(r"\s+", " ", text).strip() for text in row.get_by_role("cell").all_inner_texts()]


def number(text: str) -> Decimal:
    """An amount as the page shows it."""
    return Decimal(re.sub(r"[^\d,−-]", "", text).replace("−", "-").replace(",", ".") or 0)


def month_on_page(page: Page, month: str) -> list[Decimal]:
    """Received, refunded, lost and left of a month, as its page says."""
    page.goto(f"/admin/payments/closedmonth/{month}/")
    return [number(text) for text in cells(page.get_by_role("row", name="Всего").first)]


@pytest.fixture
def desk(page, live_server, pictures, request):
    has_pictures = request.config.getoption("--pictures")
    return Desk(page, live_server.url, pictures, ("dark", "light") if has_pictures else ())


@pytest.fixture
def stripe(stripe_sandbox, deliver):
    """Play the buyer, and tell what became of it."""

    def play(act: Callable[[Any], Any]) -> Any:
        result = act(stripe_sandbox.sandbox)
        while stripe_sandbox.events:
            assert deliver(stripe_sandbox.events.pop(0)).status_code == 200
        return result

    return play


@pytest.fixture
def month(clock, moderators, desk, stripe, api):
    SchoolFactory.create(time_zone="Europe/Moscow", name="Школа хлеба")
    return Month(desk, stripe, api)


class Month:
    """What learners and the accountant do, in its order."""

    def __init__(self, desk: Desk, stripe: Any, api: Any) -> None:
        self.desk, self.page, self.stripe, self.api = desk, desk.page, stripe, api
        self.course = CourseFactory.create(published=True, title="Хлеб на закваске", price=PRICE)
        self.learners = [
            UserFactory.create(
                first_name="Анна",
                last_name=f"Иванова {number}",
                email=f"anna{number}@school.example",
            )
            for number in range(TRANSFERS + 5)
        ]
        self.accountant = UserFactory.create(is_staff=True, language="ru", first_name="Вера")
        self.accountant.groups.add(Role.objects.get(name="accountants").pk)

    def learners_order(self) -> None:
        methods = ["transfer"] * TRANSFERS + ["transfer", "cash", "stripe", "stripe"]
        orders = []
        for learner, method in zip(self.learners, methods, strict=False):
            body = {"course_id": self.course.pk, "method": method}
            answer = self.api(learner).post("payments", body)
            assert answer.status_code == 201, answer.text
            orders.append(Payment.objects.get(pk=answer.json()["id"]))
        self.transfers = orders[:TRANSFERS]
        self.wrong, self.absent, self.by_card, self.disputed = orders[TRANSFERS:]
        for payment in (self.by_card, self.disputed):
            self.stripe(lambda sandbox, paid=payment: sandbox.pay(paid.session_id))

    def confirm_thirty(self) -> None:
        """As the bank's statement has them, each with its day and number."""
        page, desk = self.page, self.desk
        page.goto("/admin/")
        desk.look("dashboard")
        expect(page.get_by_role("link", name="32 платежа ждут подтверждения.")).to_be_visible()
        desk.press(page.get_by_role("button", name="Подтвердить"))
        page.get_by_label("День поступления денег").first.fill("2026-10-19")
        page.locator("#id_reason").fill("Выписка за 19 октября")
        for left_out in (self.wrong, self.absent):
            page.get_by_label(left_out.payer.last_name).first.uncheck()
        for place in range(TRANSFERS):
            page.get_by_label(f"Анна Иванова {place}: Номер в банке").fill(f"ПП-{place:03}")
        page.get_by_label("Анна Иванова 7: День поступления денег").fill("2026-10-16")
        expect(page.get_by_text("30 · 147 000 ₽")).to_be_visible()
        desk.look("confirm-many")
        desk.press(page.get_by_role("button", name="Подтвердить"))
        expect(page.get_by_text("Подтверждено 30 платежей: 147 000 ₽.")).to_be_visible()
        desk.look("confirmed")

    def decide_about_single_ones(self) -> None:
        """Record cash without an order, reject what will not come, undo what was a mistake."""
        page, desk = self.page, self.desk
        desk.press(page.get_by_role("link", name="Внести платёж"))
        desk.choose("payer", "anna34@")
        desk.choose("course", "закваске")
        page.get_by_label("Сумма").fill("4 500,00")
        page.get_by_label("наличные").check()
        page.get_by_label("День поступления денег").fill("2026-10-18")
        page.locator("#id_reason").fill("Принято в кассе, скидка 400")
        desk.look("record")
        desk.press(page.get_by_role("button", name="Внести платёж"))
        expect(page.get_by_text("Платёж внесён")).to_be_visible()
        desk.look("recorded")
        desk.payment(self.absent)
        desk.act("Отклонить", "reject", reason="Не пришёл")
        expect(page.get_by_text("Платёж отклонён.")).to_be_visible()
        desk.payment(self.wrong)
        statement = {"day": "2026-10-19", "bank_reference": "ПП-007"}
        desk.act("Подтвердить", "confirm", reason="Выписка", **statement)
        desk.act("Отменить подтверждение", "undo", reason="Это был другой перевод")
        expect(page.get_by_text("Платёж снова ждёт оплаты.")).to_be_visible()
        desk.look("undone")

    def give_back(self) -> None:
        """A part by hand, a part at Stripe; and a bank takes all of a third one."""
        page, desk = self.page, self.desk
        desk.payment(self.transfers[3])
        desk.act("Вернуть деньги", "refund", reason="Пропустила неделю", amount="1 500,50")
        expect(page.get_by_text("Деньги возвращены.")).to_be_visible()
        desk.look("refunded")
        desk.payment(self.by_card)
        answers = {"amount": "900,00", "typed": self.by_card.payer.email}
        desk.act("Вернуть деньги", "refund-at-stripe", reason="Передумала", **answers)
        self.disputed.refresh_from_db()
        intent = self.disputed.payment_intent_id
        charge = self.stripe(lambda sandbox: sandbox.find("payment_intent", intent))[
            "latest_charge"
        ]
        dispute = self.stripe(lambda sandbox: sandbox.open_dispute(charge))
        desk.payment(self.disputed)
        desk.look("disputed")
        self.stripe(lambda sandbox: sandbox.change_dispute(dispute["id"], "lost"))
        desk.payment(self.disputed)
        expect(page.get_by_text("остаётся 0 ₽")).to_be_visible()
        desk.look("lost")

    def close_october(self) -> None:
        """Leaves its page open."""
        page, desk = self.page, self.desk
        desk.press(page.get_by_role("link", name="Закрыть месяц"))
        page.locator("#id_typed").fill("10.2026")
        desk.look("close")
        desk.press(page.get_by_role("button", name="Закрыть месяц"))
        expect(page.get_by_text("Закрыто: ")).to_be_visible()
        desk.look("closed")

    def load_the_cash_book(self, known: str) -> None:
        """A table of another book, at first as it came. `known` is the external id of a payment that
        is here."""
        page, desk = self.page, self.desk

        def messy(unknown: str, future: str) -> bytes:
            places = {"course": self.course.pk, "known": known, "future": future}
            text = MESSY.format(unknown=unknown, **places)
            return text.replace("4 900", "4\u00a0900").encode("cp1251")

        page.goto("/admin/payments/payment/")
        desk.press(page.get_by_role("link", name="Загрузить"))
        desk.look("import")
        desk.check("касса.csv", messy("olga@school.example", "20.11.2027"))
        expect(page.get_by_role("alert").get_by_role("listitem")).to_have_text(
            [
                "Нет учётной записи olga@school.example (строка 5)",
                "Запись 3 (строка файла 6): Оплачен: 20.11.2027 ещё не наступило",
            ]
        )
        desk.look("import-refused")
        desk.check("касса.csv", messy("anna2@school.example", "22.11.2026"))
        found = page.get_by_role("region", name="Все строки в порядке")
        expect(found).to_contain_text("CSV, Windows-1251, точки с запятой")
        expect(found).to_contain_text("1 платёж здесь в другом состоянии и остаётся как есть")
        desk.look("import-checked")
        desk.press(page.get_by_role("button", name="Загрузить 3 платежа"))
        expect(page.get_by_text("Загружено 3 платежа")).to_be_visible()

    def load_into_an_empty_book(self, table: bytes) -> None:
        rows = Payment.objects.count()
        Access.objects.all().delete()
        LedgerEntry.objects.all().delete()
        ClosedMonth.objects.all().delete()
        Payment.objects.all().delete()
        self.page.goto("/admin/payments/payment/")
        self.desk.press(self.page.get_by_role("link", name="Загрузить"))
        self.desk.check("платежи.xlsx", table)
        button = self.page.get_by_role("button", name=f"Загрузить {rows} платеж")
        self.desk.press(button)
        expect(self.page.get_by_text(f"Загружено {rows} платеж")).to_be_visible()

    def exported(self, form: str) -> bytes:
        """The list of payments as a table."""
        self.page.goto("/admin/payments/payment/")
        return self.desk.download(form)


def sums_of(rows: list[dict[str, Any]]) -> tuple[Decimal, Decimal]:
    """What came and what was refunded by a table of payments."""
    came = [row["Сумма"] for row in rows if row["Оплачен"]]
    refunded = [row["Возвращено"] or 0 for row in rows]
    return sum(map(as_number, came), Decimal(0)), sum(map(as_number, refunded), Decimal(0))


def as_number(cell: Any) -> Decimal:
    return number(cell) if isinstance(cell, str) else Decimal(str(cell))


def rows_of(sheet: Any) -> list[dict[str, Any]]:
    head, *rows = sheet.values
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_a_month_of_an_accountant(month, desk, clock):
    october = [Decimal("161300.00"), Decimal(0), Decimal(0), Decimal("161300.00")]
    november = [Decimal(0), Decimal("-2400.50"), Decimal("-4900.00"), Decimal("-7300.50")]
    month.learners_order()
    clock.move_to(datetime(2026, 10, 20, 9, tzinfo=UTC))
    desk.log_in(month.accountant)
    month.confirm_thirty()
    month.decide_about_single_ones()
    clock.move_to(datetime(2026, 11, 10, 9, tzinfo=UTC))
    desk.log_in(month.accountant)
    month.give_back()

    # The page of each month, the entries of a closed one, and both tables of the payments say the same.
    desk.page.goto("/admin/payments/closedmonth/")
    desk.look("accounts")
    assert month_on_page(desk.page, "2026-11") == november
    desk.look("november")
    assert month_on_page(desk.page, "2026-10") == october
    desk.look("october")
    month.close_october()
    assert len(desk.loaded) == PAGES, desk.loaded
    workbook = openpyxl.load_workbook(io.BytesIO(desk.download("xlsx")))
    entries = rows_of(workbook.worksheets[0])
    assert sum(entry["Сумма"] for entry in entries) == 161_300
    paid_and_refunded = (Decimal("161300.00"), Decimal("2400.50"))
    workbook = openpyxl.load_workbook(io.BytesIO(month.exported("xlsx")))
    assert sums_of(rows_of(workbook["Платежи"])) == paid_and_refunded
    lines = month.exported("semicolons").decode("utf-8-sig")
    rows = [*csv.DictReader(io.StringIO(lines, newline=""), delimiter=";")]
    assert sums_of(rows) == paid_and_refunded

    clock.move_to(datetime(2026, 11, 25, 9, tzinfo=UTC))
    desk.log_in(month.accountant)
    emails = {row["Эл. почта"]: row["Внешний номер"] for row in rows}
    month.load_the_cash_book(known=emails["anna4@school.example"])
    november[0], november[3] = Decimal("11300.50"), Decimal("4000.00")
    assert month_on_page(desk.page, "2026-11") == november
    assert month_on_page(desk.page, "2026-10") == october

    desk.look_again_in_english()
    desk.speak("ru")

    # The same book in a school with the same people and courses.
    month.load_into_an_empty_book(month.exported("xlsx"))
    assert month_on_page(desk.page, "2026-10") == october
    assert month_on_page(desk.page, "2026-11") == november
