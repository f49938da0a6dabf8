"""What people call themselves holds no link and is one line: it stands in mails to others."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection

from people.models import User
from people.tests.factories import PASSWORD, UserFactory
from people.tests.test_admin import page, person_form

pytestmark = [pytest.mark.any_database, pytest.mark.django_db]

NAMES = [
    "Анна-Мария",
    "J. R. R. Tolkien",
    "J.R.R. Tolkien",
    "J.R.R.Tolkien",
    "А.С.Пушкин",
    "Пушкин А.С.",
    "A.Ng",
    "Dr.Li",
    "Mr.Smith",
    "Mr.Su",
    "Mrs.Ng",
    "Ms.Ma",
    "Prof.Li",
    "H.McDonald, Jr.",
    "Smith, Ph.D., M.Sc.",
    "O'Brien",
    "D’Artagnan",
    "St. Petersburg",
    "St.Petersburg",
    "г.Москва",
    "г. Санкт-Петербург",
    "Санкт-Петербург/Москва",
    "Washington, D.C.",
    "Baden-Württemberg",
    "محمد\u200cعلی",
    "李小龙",
    "Łódź",
    "Nº 5",
    "1.2.3",
    "Anna (Anya)",
    "-",
]
LINKS = [
    "http://evil.example",
    "evil.com",
    "www.evil",
    "casino.live",
    "play.click",
    "main.py",
    "youtube.com/watch?v=dQw4w9WgXcQ",
    "https://youtu.be/dQw4w9WgXcQ",
    "tg:evil",
    "mailto:a@evil.com",
    "a@evil.com",
    "t.co/x",
    "A.Ng/evil.com",
    "A.evil.Com",
    "EVIL.Com",
    "x.Com",
    "Mr.evil.Com",
    "a.ng",
    "A.ng",
    "Mr.Smith@evil.com",
    "ｅｖｉｌ．ｃｏｍ",
    "evil。com",
    "evil.\u200bcom",
    "ev\u00adil.com",
    "evil&#46;com",
    "казино.рф",
    "xn--80aswg.xn--p1ai",
    "[Anna](//evil)",
    "<a href=//evil.com>Anna</a>",
    "Anna, come to evil.com.",
    "evil.com.Приходи",
]
LINES = ["Anna\nBcc: all", "Anna\r\nevil", "Anna\rB", "Anna\u2028B", "Anna\x85B", "Anna\x0bB"]
TURNED = ["\u202emoc.live", "Anna\u2066B", "Anna\x07B"]
FIELDS = ["first_name", "last_name", "city"]


def named(name):
    return dict.fromkeys(FIELDS, name)


def register(api, name):
    body = {"email": "anna@school.example", "password": PASSWORD} | named(name)
    return api(None).post("auth/register", body)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_people_and_places_are_taken(api, client_of, support, learner, stranger, name):
    changed = api(learner).patch(f"users/{learner.pk}", named(name))
    for answer in (register(api, name), changed):
        assert answer.json().items() >= named(name).items()
    form = person_form(stranger, **named(name))
    assert client_of(support).post(page("change", stranger.pk), form).status_code == 302


@pytest.mark.parametrize(
    ("name", "code"),
    [
        *[(name, "contains_link") for name in LINKS],
        *[(name, "several_lines") for name in LINES],
        *[(name, "control_character") for name in TURNED],
    ],
)
def test_what_nobody_is_called_is_refused_at_every_door(
    api, client_of, administrator, learner, name, code
):
    changed = api(learner).patch(f"users/{learner.pk}", named(name))
    for answer in (register(api, name), changed):
        assert answer.status_code == 422
        faults = [(fault["loc"], fault["code"]) for fault in answer.json()["errors"]]
        assert sorted(faults) == sorted((["body", field], code) for field in FIELDS)
    client = client_of(administrator)
    form = person_form(learner, **named(name))
    page_of_person = client.post(page("change", learner.pk), form)
    form = {"email": "vera@school.example", "language": "ru", **named(name)}
    form |= {"password1": PASSWORD, "password2": PASSWORD}
    page_of_new = client.post(page("add"), form)
    for response, fields in ((page_of_person, FIELDS), (page_of_new, FIELDS[:2])):
        errors = response.context["adminform"].form.errors.as_data()
        assert {field: [one.code for one in errors[field]] for field in errors} == {
            field: [code] for field in fields
        }
    assert set(User.objects.all()) == {administrator, learner}
    learner.refresh_from_db()
    assert name not in (learner.first_name, learner.last_name, learner.city)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("name", ["evil.com", "Anna\nB"])
def test_an_old_name_hinders_nobody_from_changing_something_else(
    api, client_of, support, learner, field, name
):
    User.objects.filter(pk=learner.pk).update(**{field: name})
    learner.refresh_from_db()
    body = {field: name, "phone": "+79161234567"}
    assert api(learner).patch(f"users/{learner.pk}", body).json()["phone"] == "+79161234567"
    learner.refresh_from_db()
    form = person_form(learner, language="ru")
    assert client_of(support).post(page("change", learner.pk), form).status_code == 302
    learner.refresh_from_db()
    assert (getattr(learner, field), learner.language) == (name, "ru")


def test_a_refused_link_is_quoted(api):
    fault, *_others = register(api, "Anna from https://evil.example/x").json()["errors"]
    assert fault["msg"] == "Links aren't allowed here: “https://evil.example/x”."


@pytest.mark.parametrize("batch", [1, 500])
def test_the_migration_makes_one_line_of_old_names_and_leaves_links(monkeypatch, learner, batch):
    migration = import_module("people.migrations.0021_names_of_one_line")
    monkeypatch.setattr(migration, "BATCH", batch)
    odd = UserFactory.create_batch(3)
    User.objects.filter(pk__in=[one.pk for one in odd]).update(
        first_name="Anna\r\n Maria\x07", last_name="Petrova\u2028", city="\u202enazaK"
    )
    User.objects.filter(pk=learner.pk).update(first_name="evil.com")
    for _again in range(2):
        migration.make_one_line(apps, SimpleNamespace(connection=connection))
    for person in User.objects.filter(pk__in=[one.pk for one in odd]):
        assert (person.first_name, person.last_name, person.city) == (
            "Anna Maria",
            "Petrova",
            "nazaK",
        )
    learner.refresh_from_db()
    assert learner.first_name == "evil.com"
