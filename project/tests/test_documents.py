"""The documents name only what is there: files, names in them, links, commands, rules."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

ROOT = Path(settings.BASE_DIR)
CODE = [
    path
    for folder in ("lms", "payments", "people", "project", "bench", "docs", ".")
    for path in sorted(ROOT.joinpath(folder).glob("*.py" if folder == "." else "**/*.py"))
    # Its texts look like paths, and are none.
    if path.name != "link_cases.py"
]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
RULES = ROOT.joinpath("docs/rules.md").read_text()
SECTIONS = re.findall(r"^## (\d+)\. ", RULES, re.MULTILINE)
NUMBERS = re.findall(r"^\*\*(\d+\.\d+) ", RULES, re.MULTILINE)

TOP = "|".join(
    re.escape(path.name)
    for path in ROOT.iterdir()
    if path.is_dir() and (path.name == ".ci" or path.name[0] not in "._")
)
PATH = rf"(?:(?:{TOP})/[\w./-]*|[\w.-]+\.(?:md|toml)|\.env\.sample|conftest\.py)"
# `path`, or `path: name`, or `path`: `name`, `other`.
MENTION = re.compile(rf"`({PATH})(?:: (\w+))?`((?::\s+`\w+`(?:,\s+`\w+`)*)?)")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(path: Path) -> str:
    """The text without blocks of code."""
    return re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """Those of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def mentions(text: str) -> Iterator[tuple[str, set[str]]]:
    for path, name, names in MENTION.findall(text):
        yield path, {name, *re.findall(r"`(\w+)`", names)} - {""}


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_files_and_names_in_them_exist(document):
    gone = []
    for path, names in mentions(prose(document)):
        if not ROOT.joinpath(path).exists():
            gone.append(path)
        elif names:
            text = ROOT.joinpath(path).read_text()
            gone += [f"{path}: {name}" for name in names if not re.search(rf"\b{name}\b", text)]
    assert gone == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_resolve(document):
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if re.match(r"https?://", link):
            continue
        name, _, anchor = link.partition("#")
        target = document.parent.joinpath(name) if name else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_commands_exist(document):
    text = document.read_text()
    commands = set(re.findall(r"manage\.py ([a-z_]+)", text))
    assert commands - set(get_commands()) == set()
    modules = re.findall(r"python -m ((?:bench|docs|project)[\w.]*)", text)
    places = [ROOT.joinpath(*module.rstrip(".").split(".")) for module in modules]
    assert [p for p in places if not (p.is_dir() or p.with_suffix(".py").exists())] == []


def test_code_names_only_files_that_exist():
    name = re.compile(rf"(?<![\w./<])((?:{TOP})/[\w/.-]*\.(?:py|md))\b")
    gone = {
        f"{named(path)}: {found}"
        for path in CODE
        for found in name.findall(path.read_text())
        if not ROOT.joinpath(found).exists()
    }
    assert gone == set()


def test_rules_are_numbered_in_order_and_say_where_they_are_decided():
    assert [str(number) for number in range(1, len(SECTIONS) + 1)] == SECTIONS
    expected = [
        f"{section}.{number}"
        for section in SECTIONS
        for number in range(1, 1 + sum(one.startswith(f"{section}.") for one in NUMBERS))
    ]
    assert expected == NUMBERS
    rules = re.split(r"^(?=\*\*\d+\.\d+ |## )", RULES, flags=re.MULTILINE)
    without = [rule[:60] for rule in rules if rule.startswith("**") and "\nCode: `" not in rule]
    assert without == []
    assert set(re.findall(r"\b\d+\.\d+\b", RULES)) <= set(NUMBERS)


def test_rules_that_code_and_documents_cite_exist():
    citation = re.compile(r"(?:docs/rules\.md[`,]*|\brules) (\d+(?:\.\d+)?)\b")
    cited = {
        number for path in [*CODE, *DOCUMENTS] for number in citation.findall(path.read_text())
    }
    assert {"7", "9"} <= cited
    assert cited - {*SECTIONS, *NUMBERS} == set()


def test_the_readme_is_short():
    assert len(ROOT.joinpath("README.md").read_text().splitlines()) <= 120


def test_what_is_quoted_of_the_client_stands_in_it():
    """Line by line: in the file it may be indented, or a comment."""

    def lines(text: str) -> str:
        return "\n".join(line.strip().removeprefix("// ").strip() for line in text.splitlines())

    client = lines(ROOT.joinpath("project/front/static/front/client.js").read_text())
    quoted = re.findall(
        r"^```js\n(.*?)^```$",
        ROOT.joinpath("docs/frontend.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    assert len(quoted) > 3
    assert [quote for quote in quoted if lines(quote) not in client] == []


def outline_of(path: Path) -> list[str]:
    return re.findall(r"^#+(?= )", prose(path), re.MULTILINE)


def commands_of(path: Path) -> list[str]:
    """The lines of its blocks of code, without what is said about them."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"(^|\s)#.*", "", line).rstrip() for line in "".join(blocks).splitlines()]
    return [line for line in lines if line]


def test_the_russian_readme_says_what_the_english_one_does():
    english, russian = ROOT / "README.md", ROOT / "README.ru.md"
    assert outline_of(russian) == outline_of(english)
    assert commands_of(russian) == commands_of(english) != []
    for named_in in (r"\]\(((?!README)[^)\s]+)\)", r"<(http[^>]+)>", r"`([^`]+)`"):
        assert sorted(re.findall(named_in, prose(russian))) == sorted(
            re.findall(named_in, prose(english))
        )
    assert "](README.ru.md)" in english.read_text()
    assert "](README.md)" in russian.read_text()
