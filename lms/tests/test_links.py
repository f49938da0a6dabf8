"""The link rule of course materials (docs/rules.md, 7): what is refused, what is text."""

import re
from collections.abc import Iterable
from time import perf_counter
from urllib.parse import unquote

import pytest
from django.core.exceptions import ValidationError
from django.utils.functional import Promise

from lms import links
from lms.tests.link_cases import ACCEPTED, IN_MARKDOWN, REFUSED
from lms.validators import validate_description, validate_title
from project.common.links import readings


def table(groups: dict[str, list[str]]) -> Iterable[object]:
    return [
        pytest.param(validate, text, id=f"{validate.__name__[9:]}: {group}: {text}")
        for validate in (validate_title, validate_description)
        for group, texts in groups.items()
        for text in texts
        if validate is validate_description or group not in IN_MARKDOWN
    ]


@pytest.mark.parametrize(("validate", "text"), table(REFUSED))
def test_a_foreign_link_is_refused_and_quoted(validate, text):
    with pytest.raises(ValidationError) as refused:
        validate(text)
    link = (refused.value.params or {})["link"]
    assert refused.value.code == "foreign_link"
    assert len(link) > 3
    unmarked = re.sub(r"[*_]+|\\(?=\W)|\[|\]\(#x\)", "", text)
    as_read = [reading for one in (text, unmarked) for reading in readings(one)]
    assert any(unquote(link) in unquote(reading) for reading in as_read)
    assert link in refused.value.messages[0]


@pytest.mark.parametrize("text", [text for texts in REFUSED.values() for text in texts])
def test_a_foreign_link_is_found_in_the_middle_of_a_lesson(text):
    lesson = "Урок 1. Откройте main.py (https://youtu.be/x).\n\n{}\n\nКонец, и т.д."
    with pytest.raises(ValidationError):
        validate_description(lesson.format(text))


@pytest.mark.parametrize(("validate", "text"), table(ACCEPTED))
def test_text_is_not_taken_for_a_link(validate, text):
    validate(text)


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


@pytest.mark.parametrize(
    "piece",
    [
        *[
            "a.",
            "a.a.",
            "[",
            "](",
            "](a",
            "[]:",
            "[a]:",
            "<",
            "<a",
            "<a:b",
            "http://",
            "https://youtube.com/",
            "youtube.com/",
            "youtube.com,",
            "%",
            "%25",
            "-",
            "_",
            ".",
            "@",
            "a@",
            "a.b@",
            "\\",
            "/",
            "//",
            ":",
            "a:",
            "&#",
            "&amp;",
            "href=",
            'href="',
            "src='",
            "${",
            "1.2.3.4/",
            "data:",
            "www.",
            "_a.",
            "a.com.X",
            "youtube.com.X",
            "//youtube.com/",
        ],
        *(" ", "\n", "\t", "[a]:\n", "\n>", "h\n", "youtube.com/x ", "main.py ", "e\u0301."),
    ],
)
def test_hostile_text_takes_linear_time(piece):
    text = (piece * 20_000)[:20_000]
    links.foreign_link("evil.com")  # reads the list of top-level domains
    started = perf_counter()
    links.foreign_link(text)
    assert perf_counter() - started < 1
