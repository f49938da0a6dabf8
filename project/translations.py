"""The Russian texts: what there is to translate, and its compilation; GNU gettext is not needed.

`project/locale/ru/LC_MESSAGES/django.po` has our own texts, and those of the admin's theme (Unfold)
that nobody else translates; `djangojs.po` beside it has those that the front says in the browser.
Compiled catalogues are not committed.

Babel's own commands don't serve: they know neither Django's templates nor what is translated
elsewhere, and write a catalogue while another process may be reading it.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import django
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir, extract_python
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.utils.translation.template import templatize

from project.common.admin.nouns import ACCUSATIVE, COUNTED, names_of

OWN_FOLDERS = ("lms", "payments", "people", "project", "templates")
KEYWORDS: dict[str, Any] = DEFAULT_KEYWORDS | {
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
# Which files have texts, and how they are found there.
METHODS = (
    ("**/tests/**", "ignore"),
    ("**/migrations/**", "ignore"),
    ("**.py", "python"),
    ("**.html", "project.translations:extract_from_template"),
    ("**.txt", "project.translations:extract_from_template"),
)
# The catalogue of what scripts say, beside "django": Django's names for them.
SCRIPTS = "djangojs"
SCRIPT_METHODS = (
    ("**/vendor/**", "ignore"),
    ("**.js", "project.translations:extract_from_script"),
)
# A call, and its arguments that are texts, if all is well with them.
CALL = re.compile(r"\b(n?p?gettext)\(\s*")
LITERAL = r'("(?:[^"\\\n]|\\.)+")'
ARGUMENTS = {
    name: re.compile(r"\s*,\s*".join([LITERAL] * count) + r"\s*[,)]")
    for name, count in {"gettext": 1, "pgettext": 2, "ngettext": 2, "npgettext": 3}.items()
}
# Headers that would differ from run to run, or are nobody's.
TRANSIENT = ("Project-", "POT-", "PO-", "Last-", "Report-", "Language-Team", "Generated")


def catalogues() -> Iterator[tuple[str, Path]]:
    """Each language with each of its files of translations."""
    for folder in settings.LOCALE_PATHS:
        for path in sorted(Path(folder).glob("*/LC_MESSAGES/django*.po")):
            yield path.parent.parent.name, path


def compile_catalogues() -> list[Path]:
    """Compile what is missing or older than its source; return the sources compiled."""
    sources = []
    for language, path in catalogues():
        compiled = path.with_suffix(".mo")
        if compiled.exists() and compiled.stat().st_mtime >= path.stat().st_mtime:
            continue
        written = BytesIO()
        write_mo(written, read_po(BytesIO(path.read_bytes()), locale=language))
        # Whole or not at all: another process may be reading it, or writing it too.
        draft = compiled.with_name(f"{compiled.name}.tmp")
        draft.write_bytes(written.getvalue())
        draft.replace(compiled)
        sources.append(path)
    return sources


def update_catalogues() -> list[Path]:
    """Add the texts that are new to the files of translations, and drop those that are gone."""
    updated = []
    for language, path in catalogues():
        catalogue = read_po(BytesIO(path.read_bytes()), locale=language)
        found = extract_scripts() if path.stem == SCRIPTS else extract_messages(catalogue)
        catalogue.update(found, no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        written = BytesIO()
        write_po(written, catalogue, width=96, sort_output=True, no_location=True)
        headers = tuple(f'"{name}'.encode() for name in TRANSIENT)
        lines = written.getvalue().splitlines(keepends=True)
        path.write_bytes(b"".join(line for line in lines if not line.startswith(headers)))
        updated.append(path)
    return updated


def extract_messages(present: Catalog) -> Catalog:
    """All that has to be translated: ours; what Unfold says and no application translates; the names
    of rows in the forms that a sentence needs; and what the present file says better than Django."""
    language = str(present.locale)
    found = Catalog(charset="utf-8")
    for folder in OWN_FOLDERS:
        _extract(found, settings.BASE_DIR / folder)
    folders = [Path(django.__file__).parent / "conf"]
    folders += [
        Path(config.path) for config in apps.get_app_configs() if config.name not in OWN_FOLDERS
    ]
    compiled = [folder / "locale" / language / "LC_MESSAGES" / "django.mo" for folder in folders]
    others = [read_mo(BytesIO(path.read_bytes())) for path in compiled if path.exists()]

    def is_known(message: Message) -> bool:
        return any(message.id and other.get(message.id, message.context) for other in others)

    for message in [
        *(message for message in extract_unfold() if not is_known(message)),
        *filter(is_known, present),
    ]:
        found.add(message.id, context=message.context, locations=message.locations)
    for model in filter(admin.site.is_registered, apps.get_models()):
        names, place = names_of(model._meta), [(f"model {model._meta.label}", 0)]
        found.add(names[0], context=ACCUSATIVE, locations=place)
        found.add(names, context=COUNTED, locations=place)
    return found


def extract_scripts() -> Catalog:
    """All that the front says in the browser."""
    found = Catalog(charset="utf-8")
    _extract(found, settings.BASE_DIR / "project" / "front" / "static", methods=SCRIPT_METHODS)
    return found


def extract_unfold() -> Catalog:
    """The texts of the theme and of those of its applications that are installed."""
    folder = Path(apps.get_app_config("unfold").path)
    missing = [
        (f"contrib/{part.name}/**", "ignore")
        for part in (folder / "contrib").iterdir()
        if f"unfold.contrib.{part.name}" not in settings.INSTALLED_APPS
    ]
    found = Catalog(charset="utf-8")
    _extract(found, folder, ignored=missing)
    return found


def side_by_side() -> Iterator[list[str]]:
    """A table: where a text stands (nowhere: Django says it), what tells it from one that looks like
    it, and the text in English and in the other languages, its plurals in lines. In the order of
    the places, so that whoever reads sees what stands together."""
    languages = sorted({language for language, _path in catalogues()})
    yield ["where", "context", "en", *languages]
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for language, path in catalogues():
        catalogue = read_po(BytesIO(path.read_bytes()), locale=language)
        found = extract_scripts() if path.stem == SCRIPTS else extract_messages(catalogue)
        for message in filter(lambda message: message.id, found):
            said = catalogue.get(message.id, message.context)
            place = ", ".join(dict.fromkeys(file for file, _line in message.locations))
            key = place, message.context or "", _in_lines(message.id)
            rows.setdefault(key, {})[language] = _in_lines(said.string or "") if said else ""
    for key in sorted(rows):
        yield [*key, *(rows[key].get(language, "") for language in languages)]


def _in_lines(text: object) -> str:
    return "\n".join(text) if isinstance(text, tuple | list) else str(text)


def _extract(
    found: Catalog,
    folder: Path,
    ignored: Iterable[tuple[str, str]] = (),
    methods: Iterable[tuple[str, str]] = METHODS,
) -> None:
    for file, line, message, _comments, context in extract_from_dir(
        folder, [*ignored, *methods], keywords=KEYWORDS
    ):
        found.add(message, context=context, locations=[(f"{folder.name}/{file}", line)])


def extract_from_template(
    file: IO[bytes], keywords: Any, comment_tags: Collection[str], options: Any
) -> Iterator[tuple[object, ...]]:
    """A method of extraction of Babel: reads a template of Django as the Python code that Django
    writes for xgettext, but for the indentation, which Python's tokenizer minds."""
    converted = templatize(file.read().decode(), origin=file.name)
    lines = "\n".join(line.strip() for line in converted.splitlines())
    return extract_python(BytesIO(lines.encode()), keywords, comment_tags, options)


def extract_from_script(
    file: IO[bytes], keywords: Any, comment_tags: Collection[str], options: Any
) -> Iterator[tuple[object, ...]]:
    """A method of extraction of Babel, which its own for JavaScript is no good for: that one loses
    its way in templates within templates. Texts are literals in double quotes, or it is a ValueError."""
    source = file.read().decode()
    for call in CALL.finditer(source):
        name, line = call[1], source.count("\n", 0, call.start()) + 1
        arguments = ARGUMENTS[name].match(source, call.end())
        if arguments is None:
            raise ValueError(f"line {line}: what {name} is given is no text in double quotes")
        texts = tuple(json.loads(text) for text in arguments.groups())
        yield line, name, texts if len(texts) > 1 else texts[0], []
