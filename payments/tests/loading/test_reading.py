"""`manage.py load_payments`: tables as accountants, banks and spreadsheets make them."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine
from django.db.models import F

from lms.models import Access
from payments.models import Dispute, Payment, Refund
from payments.services.importing.encodings import encoding_of
from payments.tests.loading.command import load, refused

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NBSP, NARROW = "\u00a0", "\u202f"


def table(rows, delimiter=";"):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


MESSY = [
    ["ООО «Школа»"],
    ["Платежи за ноябрь 2026 г.", "", ""],
    [],
    [
        "Оплачен", "СУММА ", f"Эл.{NBSP}почта:", "Номер  курса", "Внешний номер", "Валюта", "Состояние",
        "Способ оплаты", "Имя", "Возвраты", "",
    ],
    [
        "20.11.2026", f"4{NBSP}900,00", "vera@school.example", "{course}", "А-17", "руб.", "Оплачен",
        "наличные", "Вера", "", "1",
    ],
    [" ", "", "", "", "", "", "", "", "", "", ""],
    [
        "02.11.2026 14:03", "1 000", " Vera@School.Example ", "{course}", "А-18", "₽", "оплачено",
        "Перевод", "Вера", "300,00 (05.11.2026); 200,50 (06.11.2026, доступ закрыт)", "2",
    ],
    ["", "700,00", "vera@school.example", "{course}", "А-19", "RUB", "Отменён", "перевод", "", "", ""],
    ["Итого:", "6 600,00", "", "", "", "", "", "", "", "", ""],
]  # fmt: skip


@pytest.mark.parametrize("encoding", ["cp1251", "utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_messy_table_in_russian_is_read(write, payer, course, encoding, delimiter):
    rows = [[cell.format(course=course.pk) for cell in row] for row in MESSY]
    text = table(rows, delimiter)
    if encoding == "cp1251":
        text = text.replace("₽", "р")
    with time_machine.travel(NOW, tick=False):
        said = load(write(text.encode(encoding)))
    assert said == (
        "1 line is a total and was passed over.\n3 payments loaded, 0 already recorded.\n",
        True,
    )
    first, second, third = Payment.objects.order_by("external_id")
    assert (first.amount, first.method, first.status) == (Decimal(4900), "cash", "paid")
    # A day that is today: now.
    assert (first.external_id, first.paid_at) == ("А-17", NOW)
    assert second.paid_at == datetime(2026, 11, 2, 11, 3, tzinfo=UTC)
    assert (second.status, second.refunded_amount) == ("paid", Decimal("500.50"))
    assert (third.status, third.method) == ("cancelled", "transfer")
    assert Access.objects.get().reference == first.reference
    given_back = second.refunds.values_list("amount", "settled_at", "ends_access", "status")
    assert list(given_back.order_by("pk")) == [
        (Decimal(300), datetime(2026, 11, 4, 21, tzinfo=UTC), False, "succeeded"),
        (Decimal("200.50"), datetime(2026, 11, 5, 21, tzinfo=UTC), True, "succeeded"),
    ]


def test_the_columns_are_called_as_in_the_file_where_something_is_wrong(write, payer, course):
    rows = [[cell.format(course=course.pk) for cell in row] for row in MESSY]
    rows[4][1] = "4,900"
    said = refused(write(table(rows)))
    assert said.startswith(
        "Row 1 (line 5): СУММА: 4,900 can be read as 4900 and as 4.900: write 4900.00\n"
    )


@pytest.mark.parametrize(
    ("column", "written"),
    [
        (
            "amount",
            {
                "4900": "4900", "4900,00": "4900", "4900.5": "4900.5", f"4{NBSP}900,00": "4900",
                f"4{NARROW}900,00": "4900", "4 900": "4900", "4,900.00": "4900", "4.900,00": "4900",
                "4'900.00": "4900", "1 234 567,89": "1234567.89", "1,234,567": "1234567",
                "4 900 ₽": "4900", "RUB 4,900.00": "4900", "4900 руб.": "4900", "1990,50": "1990.5",
                f"RUB{NBSP}4,900.00": "4900", "4900р": "4900", "0": "0", "0,5": "0.5",
            },
        ),
        (
            "paid_at",
            {
                "20.11.2026": "2026-11-20T00:00+03:00", "2.1.2026": "2026-01-02T00:00+03:00",
                "20.11.2026 14:03": "2026-11-20T14:03+03:00", "2026-11-20": "2026-11-20T00:00+03:00",
                "20.11.2026 14:03:05": "2026-11-20T14:03:05+03:00",
                "20.11.2026, 14:03": "2026-11-20T14:03+03:00",
                "2026-11-20 14:03": "2026-11-20T14:03+03:00",
                "2026-11-20T11:03:00Z": "2026-11-20T14:03+03:00", "46346": "2026-11-20T00:00+03:00",
                "46346,5": "2026-11-20T12:00+03:00", "46346.585416666669": "2026-11-20T14:03+03:00",
            },
        ),
    ],
)  # fmt: skip
@time_machine.travel(datetime(2026, 11, 21, tzinfo=UTC), tick=False)
def test_values_are_read_as_people_write_them(write, good, column, written):
    rows = [
        good | {"external_id": f"A-{number}", column: text} for number, text in enumerate(written)
    ]
    said, succeeded = load(write(rows))
    assert succeeded, said
    loaded = dict(Payment.objects.values_list("external_id", F(column)))
    found: list[object]
    expected: list[object]
    if column == "amount":
        found = [str(loaded[f"A-{number}"].normalize() + 0) for number in range(len(written))]
        expected = [str(Decimal(value).normalize() + 0) for value in written.values()]
    else:
        found = [loaded[f"A-{number}"] for number in range(len(written))]
        expected = [datetime.fromisoformat(value) for value in written.values()]
    assert found == expected


def test_the_apostrophe_of_an_export_is_taken_away_and_no_other(write, good):
    rows = [
        good | {"external_id": "'=A-1", "title": "'+7 bakers"},
        good | {"external_id": "A-2", "title": "''-bread"},
        good | {"external_id": "A-3", "title": "'t Hooft"},
    ]
    assert load(write(rows))[1]
    assert list(Payment.objects.order_by("pk").values_list("external_id", "title")) == [
        ("=A-1", "+7 bakers"),
        ("A-2", "'-bread"),
        ("A-3", "'t Hooft"),
    ]


def test_a_refund_of_an_unknown_day_counts_on_the_day_of_the_payment(write, good):
    load(write([good | {"status": "refunded"}]))
    payment, refund = Payment.objects.get(), Refund.objects.get()
    assert (refund.amount, refund.settled_at) == (payment.amount, payment.paid_at)


def test_a_lost_dispute_comes_with_its_day_and_without_access(write, good):
    load(write([good | {"method": "stripe", "disputes": "1990.00 (2026-11-02)"}]))
    dispute = Dispute.objects.get()
    assert (dispute.dispute_id, dispute.status) == ("imported:A-1:1", "lost")
    assert dispute.told_at == datetime(2026, 11, 1, 21, tzinfo=UTC)
    assert not Access.objects.exists()


def test_what_was_deleted_comes_with_its_title_and_gives_no_access(write, good):
    rows = [good | {"course_id": "", "title": "Gone"}]
    rows += [rows[0] | {"external_id": "A-2", "status": "pending", "paid_at": ""}]
    assert refused(write(rows)).startswith("Row 2 (line 3): there must be either a course")
    said, _succeeded = load(write(rows[:1]))
    assert said.startswith("1 payment is for something that was deleted")
    payment = Payment.objects.get()
    assert (payment.title, payment.course, payment.status) == ("Gone", None, "paid")
    assert not Access.objects.exists()


def test_another_title_than_the_one_here_is_told(write, good):
    said, _succeeded = load(write([good | {"title": "Cheese"}]))
    assert said.startswith(
        "1 row gives another title than its course or lesson has here (“Cheese”, here “Bread at home”)"
    )


# Encodings

RUSSIAN = [
    "А-17;Вера Павлова;Хлеб дома: от закваски до корки;оплачен наличными",
    "Иван Петров;«Основы бухгалтерского учёта»;перевод № 15 — за ноябрь",
    "Школа рисования;Акварель для начинающих, 12 занятий;Отменён по просьбе ученицы",
    "Мария Щеголева;Съёмка и монтаж;возвращена половина суммы, доступ закрыт",
    "Платёж от Юлии Чайкиной: английский язык, средний уровень, весенний набор",
    "Объём работ по договору с Эдуардом Цыбульским принят полностью и оплачен",
]


@pytest.mark.parametrize(
    ("encoding", "taken"),
    [
        ("cp1251", "cp1251"),
        ("utf-8", "utf-8"),
        ("koi8-r", "utf-8"),
        ("cp866", "utf-8"),
        ("mac_cyrillic", "utf-8"),
    ],
)
def test_encodings_are_told_apart(encoding, taken):
    """What is taken for UTF-8 and is not is refused with the line."""
    wrong = [
        piece
        for piece in RUSSIAN
        if encoding_of(io.BytesIO(piece.encode(encoding, errors="ignore"))) != taken
    ]
    assert wrong == []


def test_a_broken_utf_8_is_not_taken_for_another_encoding():
    for piece in RUSSIAN:
        content = piece.encode()
        assert encoding_of(io.BytesIO(content[:20] + b"\xff" + content[20:])) == "utf-8"
