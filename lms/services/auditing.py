"""Looks through all that is stored for links that the rule of today refuses (docs/rules.md, 7.6)."""

import re
import unicodedata
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import batched, chain, islice
from multiprocessing import get_context
from operator import attrgetter
from typing import Any, NamedTuple

import django
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet

from lms.links import leads_to_youtube
from lms.models import Course, Lesson
from lms.validators import validate_description, validate_title, validate_video_url
from lms.videos import video_at
from people.models import User
from people.validators import validate_name
from project.common.link_words import TEXT_ENDINGS

RULES: dict[str, Callable[[str], None]] = {
    "title": validate_title,
    "description": validate_description,
    "video_url": validate_video_url,
    "first_name": validate_name,
    "last_name": validate_name,
    "city": validate_name,
}
PAGE = 2000
# Texts that are judged together; so many batches are judged before processes are started for the rest.
BATCH, HERE = 200, 5
MOST_LINKS = 100

# Words that no reading makes a link: a video, and the name of a file.
KNOWN = re.compile(
    r"""(?xa) (?<!\S) (?:
        https://[a-z.]+ (?:[/?][\w\-]+(?:=[\w\-]+)?)+ (?:&(?:t|si|list|index|feature)=[\w\-]+)*
      | [(«"'`]* (?!www\d*\.) [\w\-]+ \.(?:"""
    + "|".join(sorted(ending for ending in TEXT_ENDINGS if ending.isascii()))
    + r""") [)»"'`]*
    ) [.,;:!?]? (?!\S)"""
)


class Text(NamedTuple):
    """A text as it is stored, in a row or in a state of the history."""

    model: str
    pk: int
    field: str
    history_id: int | None
    text: str


class Finding(NamedTuple):
    """A link that may not be where it is, as `code` of the refusal says."""

    model: str
    pk: int
    field: str
    history_id: int | None
    line: int
    code: str
    link: str


def find_links(*, with_history: bool, processes: int) -> Iterator[Finding]:
    """Yield what the rule of today refuses of all courses, lessons and names of people. The whole
    takes as much memory as its largest page."""
    batches = batched(filter(may_be_refused, stored_texts(with_history=with_history)), BATCH)
    if processes == 1:
        return chain.from_iterable(map(judge, batches))
    here = chain.from_iterable(map(judge, islice(batches, HERE)))
    return chain(here, _judged_in_parallel(batches, processes))


def stored_texts(*, with_history: bool) -> Iterator[Text]:
    for model in (Course, Lesson):
        label, fields = model._meta.label_lower, [one for one in RULES if hasattr(model, one)]
        yield from _texts_of(model._default_manager.all(), label, "pk", "pk", fields)  # noqa: SLF001
        if with_history:
            yield from _texts_of(model.history.all(), label, "id", "history_id", fields)
    names = ["first_name", "last_name", "city"]
    yield from _texts_of(User.objects.all(), User._meta.label_lower, "pk", "pk", names)


def _texts_of(
    rows: QuerySet[Model], label: str, subject: str, key: str, fields: list[str]
) -> Iterator[Text]:
    """By pages, so that no connection is kept waiting, nor a table held."""
    last = 0
    while True:
        page = rows.filter(**{f"{key}__gt": last}).order_by(key)[:PAGE]
        found = list(page.values_list(key, subject, *fields))
        for last, pk, *texts in found:
            history_id = last if key == "history_id" else None
            for field, text in zip(fields, texts, strict=True):
                yield Text(label, pk, field, history_id, text)
        if len(found) < PAGE:
            return


def may_be_refused(stored: Text) -> bool:
    """Say whether the text has to be judged; False is certain, and takes a hundredth of the time."""
    text = stored.text
    if stored.field == "video_url":
        video = video_at(text)
        return bool(text) and (video is None or video.address != text)
    if RULES[stored.field] is validate_name:
        return not text.replace(" ", "").isalpha() and bool(text)
    return bool(suspicious().search(text) and suspicious().search(KNOWN.sub(_left, text)))


def _left(word: re.Match[str]) -> str:
    address = word[0].rstrip(".,;:!?")
    return word[0] if "//" in address and not leads_to_youtube(address) else " "


@cache
def suspicious() -> re.Pattern[str]:
    """What each link has, typed as Markdown, HTML or plain text: a dot with a letter behind it, a colon
    with anything, an entity, `]` or `=`; or what letters are folded to that."""
    # All that is not printed is left out before, and so are the marks of emphasis.
    marks: dict[str, list[str]] = {".": ["."], ":": [":"], "=": ["="]}
    alone = ["]"]
    for letter in map(chr, range(0x80, 0x110000)):
        folded = unicodedata.normalize("NFKC", letter).replace("。", ".")
        if folded in marks:
            marks[folded].append(letter)
        # A dot beside a dot is in no address.
        elif not letter.isascii() and folded.strip(".") and set(folded) & set(marks):
            alone.append(letter)
    dots, colons, equals = (re.escape("".join(letters)) for letters in marks.values())
    return re.compile(
        rf"[{dots}][^\s\w\-]*+[\w\-]|[{colons}&]\S|[{re.escape(''.join(alone))}{equals}]"
    )


def _judged_in_parallel(batches: Iterable[tuple[Text, ...]], processes: int) -> Iterator[Finding]:
    """In their order. The processes read nothing: they get the texts."""
    waiting: deque[Any] = deque()
    # Not forked: a connection to the database can't be shared.
    with ProcessPoolExecutor(processes, get_context("spawn"), django.setup) as pool:
        for batch in batches:
            waiting.append(pool.submit(judge, batch))
            if len(waiting) > 4 * processes:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def judge(texts: Iterable[Text]) -> list[Finding]:
    by_line = attrgetter("line")
    return [one for stored in texts for one in sorted(_links_in(stored), key=by_line)]


def _links_in(stored: Text) -> Iterator[Finding]:
    """One after the other, each taken out for the next to be found."""
    text = stored.text
    for _link in range(MOST_LINKS):
        error = _refusal(stored.field, text)
        if error is None:
            return
        link = str((error.params or {}).get("link") or text)
        start = text.find(link)
        line = text.count("\n", 0, start) + 1 if start >= 0 else _line(stored.field, text)
        yield Finding(*stored[:4], line, error.code or "invalid", link)
        if start < 0 or link == text:
            return
        text = text[:start] + " " * len(link) + text[start + len(link) :]


def _refusal(field: str, text: str) -> ValidationError | None:
    try:
        RULES[field](text)
    except ValidationError as error:
        return error
    return None


def _line(field: str, text: str) -> int:
    """Where a link ends that is spelled otherwise than it is quoted, as with entities."""
    lines = text.split("\n")
    numbers = range(1, len(lines))

    def is_refused(number: int) -> bool:
        return _refusal(field, "\n".join(lines[:number])) is not None

    return bisect_left(numbers, True, key=is_refused) + 1  # noqa: FBT003 - what is looked for
