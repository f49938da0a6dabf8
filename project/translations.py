"""The Russian texts: what there is to translate, and its compilation; GNU gettext is not needed.

`project/locale/ru/LC_MESSAGES/django.po` has our own texts, and those of the admin's theme (Unfold)
that nobody else translates. Compiled catalogues are not committed.
"""

import gettext
from collections.abc import Iterator
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import django
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.apps import apps
from django.conf import settings
from django.utils.translation.template import templatize

OWN_FOLDERS = ("lms", "payments", "people", "project", "templates")
KEYWORDS: dict[str, Any] = DEFAULT_KEYWORDS | {
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
TEMPLATES = frozenset({".html", ".txt"})
# Headers that would differ from run to run, or are nobody's.
TRANSIENT = (
    b'"Project-',
    b'"POT-',
    b'"PO-',
    b'"Last-',
    b'"Report-',
    b'"Language-Team',
    b'"Generated',
)
# Separates a context from its message, in the catalogues of gettext.
CONTEXT_SEPARATOR = "\x04"


def catalogues() -> Iterator[tuple[str, Path]]:
    """Each language with its file of translations."""
    for folder in settings.LOCALE_PATHS:
        for path in sorted(Path(folder).glob("*/LC_MESSAGES/django.po")):
            yield path.parent.parent.name, path


def compile_catalogues() -> list[Path]:
    """Compile what is missing or older than its source; return the sources compiled."""
    stale = [path for _language, path in catalogues() if _is_stale(path)]
    for path in stale:
        compiled = path.with_suffix(".mo")
        # Whole or not at all: another process may be reading it, or writing it too.
        written = BytesIO()
        write_mo(written, _read(path))
        draft = compiled.with_name(f"{compiled.name}.tmp")
        draft.write_bytes(written.getvalue())
        draft.replace(compiled)
    return stale


def update_catalogues() -> list[Path]:
    """Add the texts that are new to the files of translations, and drop those that are gone."""
    for language, path in catalogues():
        catalogue = _read(path)
        catalogue.update(extract_messages(language), no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        written = BytesIO()
        write_po(written, catalogue, width=96, sort_output=True)
        lines = written.getvalue().splitlines(keepends=True)
        path.write_bytes(b"".join(line for line in lines if not line.startswith(TRANSIENT)))
    return [path for _language, path in catalogues()]


def extract_messages(language: str) -> Catalog:
    """All that has to be translated: ours, and what Unfold says and no application translates."""
    found = Catalog(charset="utf-8")
    for folder in OWN_FOLDERS:
        _extract_into(found, settings.BASE_DIR / folder)
    theme = _messages_of_unfold()
    known = _texts_of_others(language)
    for message in theme:
        if message.id and not found.get(message.id, message.context) and _key(message) not in known:
            found.add(message.id, context=message.context)
    return found


def _read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name)


def _is_stale(path: Path) -> bool:
    compiled = path.with_suffix(".mo")
    return not compiled.exists() or compiled.stat().st_mtime < path.stat().st_mtime


def _extract_into(catalogue: Catalog, folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if not {"tests", "migrations"}.intersection(path.parts):
            _extract_file(catalogue, path)


def _extract_file(catalogue: Catalog, path: Path) -> None:
    if path.suffix == ".py":
        source = path.read_text()
    elif path.suffix in TEMPLATES:
        source = _template_as_python(path)
    else:
        return
    found = extract("python", BytesIO(source.encode()), keywords=KEYWORDS)
    for _line, message, _comments, context in found:
        catalogue.add(message, context=context)


def _template_as_python(path: Path) -> str:
    """What Django writes for xgettext; Python's tokenizer minds the indentation."""
    converted = templatize(path.read_text(), origin=str(path))
    return "\n".join(line.strip() for line in converted.splitlines())


def _messages_of_unfold() -> Catalog:
    spec = find_spec("unfold")
    if spec is None or spec.origin is None:
        raise ImportError("unfold")
    folder = Path(spec.origin).parent
    found = Catalog(charset="utf-8")
    for part in folder.iterdir():
        if part.is_dir() and part.name != "contrib":
            _extract_into(found, part)
    for module in folder.glob("*.py"):
        _extract_file(found, module)
    for part in (folder / "contrib").iterdir():
        if f"unfold.contrib.{part.name}" in settings.INSTALLED_APPS:
            _extract_into(found, part)
    return found


def _texts_of_others(language: str) -> set[Any]:
    """The texts that Django and the applications bring translations of themselves."""
    folders = [Path(django.__file__).parent / "conf"]
    folders += [
        Path(config.path) for config in apps.get_app_configs() if config.name not in OWN_FOLDERS
    ]
    texts: set[Any] = set()
    for folder in folders:
        found = gettext.translation("django", folder / "locale", [language], fallback=True)
        texts.update(getattr(found, "_catalog", {}))
    return texts


def _key(message: Any) -> Any:
    text = message.id if isinstance(message.id, str) else (message.id[0], 0)
    if message.context is None:
        return text
    return f"{message.context}{CONTEXT_SEPARATOR}{text}"
