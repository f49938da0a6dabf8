"""Finds the video in what somebody pasted: an address, a share text, embed code (docs/rules.md, 7.2)."""

import html
import re
import unicodedata
from functools import lru_cache

from lms import youtube
from lms.youtube import Video

# Embed code with a long title has about a thousand characters.
LONGEST_PASTE = 2000
HOSTS = (youtube.recognise,)

# Addresses of videos have none of these, and quotes and brackets stand around them.
WORD = re.compile(r"""[^\s<>"'`«»“”„‟‘’(){}\[\]【】（）「」|\\^]+""")
# An address in a word. Before it may stand what was written without a space, or `src=`; nothing by
# which the word would be the address of another page, that only speaks of this one.
ADDRESS = re.compile(
    r"""(?ix) [^/\\@?\#%&]*?
    (?: (?<![a-z0-9+\-]) (?:https?://)++ | (?<![\w:.\-]) (?://)?+ )
    (?P<host> (?:[a-z0-9\-]++\.)++ [a-z]{2,63}+ ) (?P<rest> [/?\#][!-~]*+ )"""
)
SENTENCE_END = ".,:;!?*~"
ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8});", re.IGNORECASE)
ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")


@lru_cache(maxsize=10_000)
def video_at(address: str) -> Video | None:
    """Return what of a stored address can be embedded; None if nothing can."""
    return _video_in(address)


def videos_in(text: str) -> tuple[list[Video], list[str]]:
    """Return the videos that a text names, each once, and the words that name none."""
    named: dict[str, Video] = {}
    others = []
    for word in _words(text):
        if video := _video_in(word):
            named.setdefault(video.id, video)
        else:
            others.append(word)
    return [*named.values()], others


def _words(text: str) -> list[str]:
    """Take a text apart where an address may end, without what copying puts into it."""
    for _round in range(2):
        text = ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    visible = "".join(one for one in text if unicodedata.category(one) != "Cf")
    return WORD.findall(ESCAPE.sub(r"\1", visible))


def _video_in(word: str) -> Video | None:
    address = ADDRESS.match(word)
    if address is None:
        return None
    host, rest = address["host"], address["rest"].rstrip(SENTENCE_END)
    return next((video for recognise in HOSTS if (video := recognise(host, rest))), None)
