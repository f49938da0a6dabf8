"""Every text of ours can be read in Russian."""

import csv
import os
import re
from io import BytesIO

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from django.conf import settings
from django.core.management import call_command
from django.utils import translation

from project.translations import (
    SCRIPTS,
    catalogues,
    compile_catalogues,
    extract_from_script,
    extract_messages,
    extract_scripts,
    extract_unfold,
)


def identity(message):
    return (message.context, message.id)


@pytest.fixture(params=catalogues(), ids=lambda item: f"{item[0]}-{item[1].stem}")
def catalogue(request):
    language, path = request.param
    with path.open("rb") as file:
        return read_po(file, locale=language, domain=path.stem)


def test_the_file_has_exactly_the_texts_of_the_code_and_the_templates(catalogue):
    found = extract_scripts() if catalogue.domain == SCRIPTS else extract_messages(catalogue)
    extracted = {identity(message) for message in found if message.id}
    present = {identity(message) for message in catalogue if message.id}
    assert extracted - present == set(), "run manage.py update_translations, and translate"
    assert present - extracted == set(), "run manage.py update_translations"


def test_every_text_is_translated(catalogue):
    untranslated = [
        message.id
        for message in catalogue
        if message.id and (message.fuzzy or not all(_forms(message.string)))
    ]
    assert untranslated == []


def test_a_translation_keeps_the_places_for_values(catalogue):
    faults = [
        (message.id, str(fault))
        for message, errors in ((message, message.check(catalogue)) for message in catalogue)
        for fault in errors
    ]
    assert faults == []


def test_there_is_a_catalogue_for_every_language_but_english(settings):
    found = {language for language, _path in catalogues()}
    assert found == {code for code, _name in settings.LANGUAGES} - {"en"}


def test_the_extraction_sees_code_templates_and_the_theme():
    found = {message.id for message in extract_messages(Catalog(locale="ru"))}
    assert "Someone has paid for this, so it can't be deleted. Unpublish it instead." in found
    assert "Search apps and models..." in found
    # Django's own catalogue has this one.
    assert "View site" not in found


def texts_in(script: str) -> list[object]:
    return [found[2] for found in extract_from_script(BytesIO(script.encode()), {}, (), {})]


def test_a_text_of_a_script_is_found_wherever_it_stands():
    script = """
    html`<p title=${gettext("One")}>${many ? html`<b>${`${ngettext("%s is", "%s are", n)}`}</b>` : null}</p>`;
    const name = pgettext(
      "of a person",
      "Name \\"in full\\"",
    );
    interpolate(npgettext("file", "%(n)s byte", "%(n)s bytes", n), { n }, true);
    """
    assert texts_in(script) == [
        "One",
        ("%s is", "%s are"),
        ("of a person", 'Name "in full"'),
        ("file", "%(n)s byte", "%(n)s bytes"),
    ]


@pytest.mark.parametrize(
    "call",
    ["gettext('One')", "gettext(`One`)", "gettext(name)", 'gettext("One" + "Two")', 'gettext("")'],
)
def test_a_text_of_a_script_that_would_be_missed_is_an_error(call):
    with pytest.raises(ValueError, match=re.escape("line 2")):
        texts_in(f"\n{call};")


def test_texts_are_compiled_when_their_source_is_newer(tmp_path, settings, monkeypatch):
    folder = tmp_path / "ru" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    source = folder / "django.po"
    source.write_text('msgid "Bread"\nmsgstr "Хлеб"\n')
    settings.LOCALE_PATHS = [tmp_path]
    assert compile_catalogues() == [source]
    assert compile_catalogues() == []
    with translation.override("ru"):
        assert translation.gettext("Bread") == "Хлеб"
    os.utime(source.with_suffix(".mo"), (1, 1))
    assert compile_catalogues() == [source]
    assert [path.name for path in sorted(folder.iterdir())] == ["django.mo", "django.po"]


def test_the_commands_compile_and_renew_the_files(tmp_path, settings, capsys):
    folder = tmp_path / "ru" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    source = folder / "django.po"
    source.write_text(
        'msgid "Gone"\nmsgstr "Нет"\n\nmsgid "Not found"\nmsgstr "Не найдено"\n\n'
        # Django has it, and says it in other words.
        'msgid "Log in"\nmsgstr "Вход"\n'
    )
    settings.LOCALE_PATHS = [tmp_path]
    call_command("update_translations")
    renewed = source.read_text()
    assert 'msgid "Not found"\nmsgstr "Не найдено"' in renewed
    assert 'msgid "Unknown field."\nmsgstr ""' in renewed
    assert "Gone" not in renewed
    assert 'msgid "Log in"\nmsgstr "Вход"' in renewed
    call_command("update_translations")
    assert source.read_text() == renewed
    call_command("compile_translations")
    assert source.with_suffix(".mo").exists()
    assert f"compiled {source}" in capsys.readouterr().out


def test_all_texts_are_listed_side_by_side(tmp_path, capsys):
    call_command("texts", tmp_path / "texts.csv")
    with (tmp_path / "texts.csv").open(encoding="utf-8-sig", newline="") as table:
        header, *rows = csv.reader(table)
    assert header == ["where", "context", "en", "ru"]
    assert all(text for *_place, text in rows)
    assert ["model people.User", "accusative", "person", "человека"] in rows
    assert ["model lms.Lesson", "counted", "lesson\nlessons", "урок\nурока\nуроков"] in rows
    assert ["", "", "Home", "Обзор"] in rows
    assert rows == sorted(rows)
    call_command("texts")
    assert capsys.readouterr().out.startswith("where,context,en,ru\n")


def test_an_application_that_is_not_installed_needs_no_translation():
    assert "unfold.contrib.import_export" not in settings.INSTALLED_APPS
    texts = {message.id for message in extract_unfold()}
    assert "Apply Filters" in texts
    assert "Confirm import" not in texts


def _forms(string):
    return string if isinstance(string, tuple) else (string,)
