"""How lists of addresses are read, as people paste them."""

from time import process_time

import pytest

from project.common.address_lists import decoded, read_addresses

pytestmark = pytest.mark.any_database

ANNA = ("anna@x.org", "Anna", "Berg")


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("anna@x.org", [("anna@x.org", "", "")]),
        ("a@x.org, b@x.org; c@x.org\td@x.org", [(f"{one}@x.org", "", "") for one in "abcd"]),
        ("a@x.org b@x.org", [(f"{one}@x.org", "", "") for one in "ab"]),
        ("a@x.org\r\n\r\n  b@x.org  \n", [(f"{one}@x.org", "", "") for one in "ab"]),
        ("Anna Berg <anna@x.org>", [ANNA]),
        ('"Anna Berg" <anna@x.org>,', [ANNA]),
        ('"Berg, Anna" <anna@x.org>', [ANNA]),
        ("Anna Berg <anna@x.org>, Olga <olga@x.org>", [ANNA, ("olga@x.org", "Olga", "")]),
        ("anna@x.org;Anna;Berg", [ANNA]),
        ("Anna\tBerg\tanna@x.org", [ANNA]),
        ("anna@x.org,Anna Berg", [ANNA]),
        ('anna@x.org,"Anna Berg"', [ANNA]),
        ("mailto:anna@x.org", [("anna@x.org", "", "")]),
        ("(anna@x.org).", [("anna@x.org", "", "")]),
        ("email,first name,last name\nanna@x.org,Anna,Berg", [ANNA]),
        ("Фамилия;Имя;E-mail\nBerg;Anna;anna@x.org", [ANNA]),
        ("Класс;Почта;Имя\n5А;anna@x.org;Anna", [("anna@x.org", "Anna", "")]),
        ("Last name,Email\n,anna@x.org", [("anna@x.org", "", "")]),
        ("not an address", [("", "", "")]),
        ('Anna "Ann Berg <anna@x.org>', [("anna@x.org", "Anna", "Ann Berg")]),
        ("", []),
        (" \n\t\n", []),
    ],
)
def test_addresses_are_read_with_names_beside_them_or_not(text, people):
    assert [entry[2:] for entry in read_addresses(text).entries] == people


def test_each_entry_knows_its_line_and_what_stands_there():
    entries = read_addresses("email\n\na@x.org; b@x.org, Olga <c@x.org>\nnobody\n").entries
    assert [(entry.line, entry.text) for entry in entries] == [
        (3, "a@x.org"), (3, "b@x.org"), (3, "Olga <c@x.org>"), (4, "nobody")
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
def test_a_file_is_read_in_the_encodings_of_spreadsheets(encoding):
    assert decoded("Имя;Почта\nОльга;olga@x.org".encode(encoding)).startswith("Имя;Почта")


def test_a_long_line_is_read_in_no_time():
    text = '",;\t@x.org ' * 20_000
    started = process_time()
    assert len(read_addresses(text).entries) == 20_000
    assert process_time() - started < 2
