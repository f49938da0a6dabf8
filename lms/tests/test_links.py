"""The link rule of course materials (docs/rules.md, 7): what is refused, what is text."""

# ruff: noqa: SIM905

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import process_time
from urllib.parse import unquote

import pytest
from django.core.exceptions import ValidationError
from django.utils.functional import Promise

from lms import links, markdown
from lms.tests.link_cases import ACCEPTED, IN_MARKDOWN, REFUSED
from lms.validators import validate_description, validate_title
from project.common.links import readings

# A table is one test: as a test each, its spellings took longer to be handed out than to be judged.
EVERYWHERE = pytest.mark.parametrize("validate", [validate_title, validate_description])


def texts_for(
    validate: Callable[[str], None], groups: dict[str, list[str]]
) -> Iterator[tuple[str, str]]:
    """The texts of a table that are for a title or a description, each with its group."""
    for group, texts in groups.items():
        if validate is validate_description or group not in IN_MARKDOWN:
            for text in texts:
                yield group, text


def refusal_of(validate: Callable[[str], None], text: str) -> ValidationError | None:
    try:
        validate(text)
    except ValidationError as refusal:
        return refusal
    return None


def is_quoted(refusal: ValidationError, text: str) -> bool:
    """Whether the refusal names a link that stands in the text."""
    link = (refusal.params or {})["link"]
    unmarked = re.sub(r"[*_]+|\\(?=\W)|\[|\]\(#x\)", "", text)
    as_read = [reading for one in (text, unmarked) for reading in readings(one)]
    return (
        refusal.code == "foreign_link"
        and len(link) > 3
        and any(unquote(link) in unquote(reading) for reading in as_read)
        and link in refusal.messages[0]
    )


@EVERYWHERE
def test_a_foreign_link_is_refused_and_quoted(validate):
    judged = [(one, refusal_of(validate, one[1])) for one in texts_for(validate, REFUSED)]
    assert len(judged) > 400
    assert [one for one, refusal in judged if refusal is None] == []
    assert [one for one, refusal in judged if refusal and not is_quoted(refusal, one[1])] == []


def test_a_foreign_link_is_found_in_the_middle_of_a_lesson():
    lesson = "Урок 1. Откройте main.py (https://youtu.be/x).\n\n{}\n\nКонец, и т.д."
    texts = [text for texts in REFUSED.values() for text in texts]
    assert len(texts) > 500
    lost = [one for one in texts if refusal_of(validate_description, lesson.format(one)) is None]
    assert lost == []


@EVERYWHERE
def test_text_is_not_taken_for_a_link(validate):
    judged = [(one, refusal_of(validate, one[1])) for one in texts_for(validate, ACCEPTED)]
    assert len(judged) > 400
    assert [(one, refusal) for one, refusal in judged if refusal] == []


def test_a_whole_lesson_of_accepted_text_is_accepted():
    validate_description("\n\n".join(text for texts in ACCEPTED.values() for text in texts))


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("Смотри https://evil.example/a?b=c, там", "https://evil.example/a?b=c"),
        ("«https://evil.example/a».", "https://evil.example/a"),
        ("см. (evil.com).", "evil.com"),
        ("на evil.com/a, потом", "evil.com/a"),
        ("//evil.example/x", "evil.example/x"),
        ("WWW.Evil.Example!", "WWW.Evil.Example"),
        ("[видео](//evil)", "//evil"),
        ("<a href='tg:evil'>x</a>", "tg:evil"),
        ("youtube.com@evil.example", "youtube.com@evil.example"),
        ("Пишите ivan@evil.com!", "ivan@evil.com"),
        ("https:\\\\evil.example", "https:\\evil.example"),
        ("https://yоutube.com/x", "https://yоutube.com/x"),
        ("ev\u200bil.com", "evil.com"),
        ("evil&#46;com", "evil.com"),
        ("youtube.com and evil.com", "evil.com"),
        ("evil.com.Там", "evil.com"),
        ("evil.com—вот", "evil.com"),
        ("--evil.com/x", "evil.com/x"),
        ("x" * 70 + "@evil.com", "x" * 64 + "@evil.com"),
        ('<a href=" //evil ">x</a>', "//evil"),
        ("[x]: //evil", "//evil"),
        ("<foo:bar?x=1>", "foo:bar?x=1"),
        ("ht\ntps://evil.run", "ht\ntps://evil.run"),
    ],
)
def test_the_link_is_quoted_as_the_author_would_recognise_it(text, link):
    with pytest.raises(ValidationError) as refused:
        validate_description(text)
    assert refused.value.params == {"link": link}


def own_texts() -> Iterable[tuple[Callable[[str], None], str]]:
    """What stands in our documents and fixtures and names no site."""
    root = Path(__file__).parents[2]
    for path in (*root.glob("*.md"), *root.glob("docs/**/*.md")):
        text = path.read_text()
        for paragraph in re.split(r"\n\n+(?=\S)", text):
            if "://" not in paragraph:
                yield validate_description, paragraph
    for row in json.loads((root / "fixtures/demo.json").read_text()):
        yield validate_title, row["fields"].get("title", "")
        yield validate_description, row["fields"].get("description", "")


def test_nothing_that_we_wrote_ourselves_is_refused():
    judged = list(own_texts())
    assert len(judged) > 500
    for validate, text in judged:
        validate(text)


ONLY = "Only links to YouTube are allowed here, not “{}”."
WOULD_BE = "“{}” would be a link, and only links to YouTube are allowed here. "
IN_CODE = WOULD_BE + "If it is part of a program, put it in code marks: `{}`."
SPACE = WOULD_BE + "If a sentence begins there, leave a space after the full stop."


@pytest.mark.parametrize(
    ("text", "link", "in_title", "in_description"),
    [
        ("https://evil.example/x", "https://evil.example/x", ONLY, ONLY),
        ("//evil.example", "evil.example", ONLY, IN_CODE),
        ("www.evil.run", "www.evil.run", ONLY, ONLY),
        ("tg:evil", "tg:evil", ONLY, ONLY),
        ("set thing.co", "thing.co", ONLY, IN_CODE),
        ("allegro.pl/x", "allegro.pl/x", ONLY, IN_CODE),
        ("ann@evil.com", "ann@evil.com", ONLY, IN_CODE),
        ("we are done.it works", "done.it", SPACE, SPACE),
        ("всё готово.рус", "готово.рус", SPACE, SPACE),
    ],
)
def test_the_refusal_says_what_to_do(text, link, in_title, in_description):
    for validate, message in ((validate_title, in_title), (validate_description, in_description)):
        with pytest.raises(ValidationError) as refused:
            validate(text)
        assert refused.value.messages == [message.format(link, link)]


@pytest.mark.parametrize(
    "text", ["http**s**://evil.run", "e*vi*l.com", "[ev](#a)il.com", "evil\\.com"]
)
def test_marks_are_no_part_of_a_word(text):
    with pytest.raises(ValidationError):
        validate_description(text)
    validate_description(f"`{text}`" if "://" not in text else text.replace("://", ": "))


def test_the_message_is_translated_when_it_is_shown():
    with pytest.raises(ValidationError) as refused:
        validate_description("evil.com")
    assert isinstance(refused.value.message, Promise)


def test_a_long_link_is_cut_for_quoting():
    with pytest.raises(ValidationError) as refused:
        validate_description("https://evil.example/" + "x" * 10_000)
    assert refused.value.params == {"link": "https://evil.example/".ljust(200, "x")}
    assert links.foreign_link("evil.com/".ljust(300, "x")) == "evil.com/".ljust(200, "x")


@pytest.mark.parametrize(
    ("longest", "longer"),
    [
        ("https://youtube.com/".ljust(2000, "x"), "https://youtube.com/".ljust(2001, "x")),
        # A host of 253 letters, and of 254.
        (f"https://{'a.' * 121}youtube.com/", f"https://aa.{'a.' * 120}youtube.com/"),
    ],
    ids=["address", "host"],
)
def test_an_address_too_long_to_be_one_is_refused(longest, longer):
    validate_description(longest)
    with pytest.raises(ValidationError):
        validate_description(longer)


def test_a_long_address_of_our_own_site_is_no_link():
    validate_description(f'<img src="{"a" * 3000}">')


HOSTILE = [
    *"""
    a. a.a. a.b [ ]( ](a []: [a]: [][ [[]] [* *[ [a.io [a](b) ![ ![a ![a]( ![]() < <a <a:b <a@b
    http:// https://youtube.com/ https:youtu.be/ youtube.com/ youtube.com, //youtube.com/ % %25 - _
    . @ a@ a.b@ a@example.com \\ / // : a: & &# &amp; &a; &period; href= href=" src=' ${ 1.2.3.4/
    data: www. _a. a.com.X youtube.com.X ` ``a `a`` [` `[ *_ _* *a_ *a* **a* a**b ** a_b.in a\\.
    <https://youtu.be/x> ﷺ ① a.io( (a.io f(a.io
    """.split(),
    *(" ", "\n", "\t", "[a]:\n", "[a]: x\n", "\n>", "> ", "- a\n", " - a\n", "* a\n * a\n", "h\n"),
    *(
        "    a\n",
        "# a\n",
        "\\\n",
        "```\n",
        "youtube.com/x ",
        "main.py ",
        "e\u0301.",
        "x.to ",
        "h\t",
    ),
    "[x](https://youtu.be/x) ",
]
DIFFERENT = [
    "{}.io( ",
    "a{}.py ",
    "&amp;a{}.b{} ",
    "[a{}]: x\n",
    "[a](https://youtu.be/{})",
    "*a{}* ",
]


def numbered(piece: str, length: int) -> str:
    return "".join(piece.format(number, number) for number in range(length // 4))


# Of a length.
HOSTILE_TEXTS: dict[str, Callable[[int], str]] = {
    **{piece: piece.__mul__ for piece in HOSTILE},
    **{piece: partial(numbered, piece) for piece in DIFFERENT},
    "longer backticks": lambda length: "".join(
        "e" + "`" * number for number in range(length // 50)
    ),
    "nested brackets": lambda length: "[" * (length // 2) + "]" * length,
    "pictures": lambda length: "![" * (length // 2 - 1) + "]" * length,
    "emphasis": lambda length: "*" * (length // 2) + "a" + "*" * length,
    "nested quotes": lambda length: ">" * length,
    "underscores": lambda length: "a" + "_" * (length - 10) + "-b.io x",
    "hyphens": lambda length: "_" * (length // 2) + "-.com" * length,
}


def seconds(text: str) -> float:
    """The time that the processor takes, whatever else the machine has to do."""
    markdown.parse.cache_clear()
    started = process_time()
    with suppress(ValidationError):
        validate_description(text)
    return process_time() - started


@pytest.mark.parametrize("text_of", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS)
def test_hostile_text_takes_linear_time(text_of):
    seconds("evil.com")  # reads the list of top-level domains
    whole, part = text_of(20_000)[:20_000], text_of(5_000)[:5_000]
    if not any(seconds(whole) < 0.3 for _attempt in range(3)):
        # On a slow machine: four times the text takes about four times as long.
        assert seconds(whole) < min(1.2, 9 * seconds(part))
