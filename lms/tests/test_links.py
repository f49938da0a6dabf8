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
from lms.validators import (
    normalize_video_url,
    validate_description,
    validate_title,
    validate_video_url,
)
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
    validate_video_url(longest)
    for validate in (validate_description, validate_video_url):
        with pytest.raises(ValidationError):
            validate(longer)


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


VIDEOS = {
    "": "",
    "https://www.youtube.com/watch?v=x": "https://www.youtube.com/watch?v=x",
    "http://www.youtube.com/watch?v=x&t=5": "https://www.youtube.com/watch?v=x&t=5",
    "HTTP://WWW.YouTube.com/watch?v=X": "https://www.youtube.com/watch?v=X",
    "https://youtube.com": "https://youtube.com",
    "https://youtube.com/watch?v=x#t=5": "https://youtube.com/watch?v=x#t=5",
    "https://m.youtube.com/shorts/x": "https://m.youtube.com/shorts/x",
    "https://music.youtube.com/watch?v=x": "https://music.youtube.com/watch?v=x",
    "https://i9-x.youtube.com/vi": "https://i9-x.youtube.com/vi",
    "https://youtube.com?v=x": "https://youtube.com?v=x",
    "https://youtube.com#top": "https://youtube.com#top",
    "https://youtu.be/x#top": "https://www.youtube.com/watch?v=x#top",
    "https://youtu.be/dQw4w9WgXcQ": "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    "http://youtu.be/dQw4w9WgXcQ?t=5": "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=5",
    "https://YOUTU.BE/_x-Y/?si=a&t=5#b": "https://www.youtube.com/watch?v=_x-Y&si=a&t=5#b",
    "https://youtu.be/x?v=y&t=5": "https://www.youtube.com/watch?v=x&t=5",
    "https://youtu.be/x?": "https://www.youtube.com/watch?v=x",
    "https://youtu.be/watch?v=x": "https://www.youtube.com/watch?v=x",
    "https://www.youtube.com/watch?v=x&ab_channel=freeCodeCamp.org": (
        "https://www.youtube.com/watch?v=x&ab_channel=freeCodeCamp.org"
    ),
}


@pytest.mark.parametrize(("url", "stored"), VIDEOS.items())
def test_a_video_on_youtube_is_stored_in_one_form(url, stored):
    validate_video_url(url)
    assert normalize_video_url(url) == stored
    validate_video_url(stored)
    assert normalize_video_url(stored) == stored


@pytest.mark.parametrize(
    "url",
    [
        "x",
        " ",
        "youtube.com/watch?v=x",
        "//www.youtube.com/watch?v=x",
        "ftp://www.youtube.com/watch?v=x",
        "javascript://www.youtube.com/%0aalert(1)",
        "https:www.youtube.com/watch",
        "https:/www.youtube.com/watch",
        "https:///www.youtube.com/watch",
        "https:\\\\www.youtube.com/watch",
        "https://www.youtube.com\\watch",
        "https://evil.example\\@www.youtube.com/",
        "https://evil.example",
        "https://evil.example/https://www.youtube.com",
        "https://evil.example?www.youtube.com",
        "https://evil.example#www.youtube.com",
        "https://www.youtube.com.evil.example/",
        "https://notyoutube.com/watch?v=x",
        "https://youtube.com.",
        "https://youtube.co/",
        "https://www.youtu.be/x",
        "https://youtube-nocookie.com/embed/x",
        "https://vimeo.com/1",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://user@youtube.com/",
        "https://user:password@youtube.com/",
        "https://:password@youtube.com/",
        "https://youtube.com@evil.example/",
        "https://@youtube.com/",
        "https://youtube.com:443/",
        "https://youtube.com:8443/",
        "https://youtube.com:/",
        "https://yоutube.com/",
        "https://ｙoutube.com/",
        "https://youtube。com/",
        "https://xn--yutube-wqf.com/",
        "https://you%74ube.com/",
        "https://you\u200btube.com/",
        "https://you\ttube.com/",
        "https://www.youtube.com/watch?v=x\n",
        " https://www.youtube.com/watch?v=x",
        "https://www.youtube.com/watch?v=x y",
        "https://www.youtube.com/\x00",
        "https://www.youtube.com/watch?v=x\u2028",
        "https://youtu.be",
        "https://youtu.be/",
        "https://youtu.be/x/y",
        "https://youtu.be/?v=x",
        "https://www.youtube.com/redirect?q=https://evil.example",
        "https://www.youtube.com/redirect?q=evil",
        "https://www.youtube.com/%72edirect?q=evil",
        "https://www.youtube.com//redirect?q=evil",
        "https://www.youtube.com/watch/../redirect?q=evil",
        "https://www.youtube.com/attribution_link?u=/watch?v=x",
        "https://accounts.youtube.com/x?continue=https%3A%2F%2Fevil.example",
        "https://youtu.be/x?u=//evil.example",
        "https://www.youtube.com/" + "x" * 3000,
    ],
)
def test_a_video_elsewhere_is_refused_and_left_as_it_is(url):
    with pytest.raises(ValidationError) as refused:
        validate_video_url(url)
    assert refused.value.code == "foreign_link"
    assert refused.value.params == {"link": url[:200]}
    assert normalize_video_url(url) == url
