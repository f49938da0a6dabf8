"""An accountant loads the table of another book in a browser, in Russian."""

import pytest
from playwright.sync_api import FilePayload, Page, expect

from lms.tests.factories import CourseFactory
from payments.models import Payment
from people.tests.factories import UserFactory

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]

TABLE = """\
ООО «Школа»;;;;;;;;
Платежи за октябрь 2026 г.;;;;;;;;
Оплачен;Сумма;Эл. почта;Номер курса;Внешний номер;Валюта;Состояние;Способ оплаты;Возвраты
20.10.2026;4 900,00;vera@school.example;{course};А-17;руб.;Оплачен;наличные;
21.10.2026;{amount};vera@school.example;{course};А-18;руб.;оплачен;перевод;500,00 (25.10.2026)
;1 000,00;{email};{course};А-19;руб.;отменён;перевод;
Итого:;10 800,00;;;;;;;
"""


def test_a_messy_table_in_russian_is_corrected_and_loaded(
    page: Page, enter, live_server, administrator, pictures
):
    course = CourseFactory.create(published=True, title="Хлеб дома")
    UserFactory.create(email="vera@school.example")

    def choose(amount: str, email: str) -> None:
        text = TABLE.format(course=course.pk, amount=amount, email=email)
        content = text.replace(" ", "\u00a0", 1).encode("cp1251")
        table = FilePayload(name="платежи.csv", mimeType="text/csv", buffer=content)
        page.locator("input[type=file]").set_input_files(table)
        page.get_by_role("button", name="Проверить").click()

    administrator.language = "ru"
    administrator.save()
    enter(administrator)
    page.goto("/admin/payments/payment/")
    page.get_by_role("link", name="Загрузить").click()
    pictures(page, "import-chosen")
    choose("4,900", "nobody@school.example")
    reasons = page.get_by_role("alert").get_by_role("listitem")
    expect(reasons).to_have_text(
        [
            "Нет учётной записи nobody@school.example (строка 6)",
            "Запись 2 (строка файла 5): Сумма: 4,900 можно прочесть и как 4900, и как 4.900: напишите 4900.00",
        ]
    )
    pictures(page, "import-refused")
    choose("4900", "vera@school.example")
    found = page.get_by_role("region", name="Все строки в порядке")
    expect(found).to_contain_text("CSV, Windows-1251, точки с запятой")
    expect(found).to_contain_text("1 строка с итогом пропущена.")
    expect(found.get_by_role("row")).to_have_count(4)
    pictures(page, "import-checked")
    page.get_by_role("button", name="Загрузить 3 платежа").click()
    expect(page.get_by_text("Загружено 3 платежа")).to_be_visible()
    assert Payment.objects.count() == 3
    assert str(Payment.objects.get(external_id="А-18").refunded_amount) == "500.00"
