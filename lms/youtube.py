"""The addresses of YouTube: what is one, how a lesson's video is stored, and how it is embedded.

What browsers make of an address that somebody typed is the matter of `lms/links.py`.
"""

import re
from functools import lru_cache
from typing import Literal, NamedTuple
from urllib.parse import parse_qs, unquote_plus, urlsplit

LONGEST_HOST = 253
# The strict spelling for a lesson's video, without credentials, port and anything to forgive.
VIDEO = re.compile(
    r"(?i)https?://(?P<host>(?:[a-z0-9\-]+\.)*youtube\.com|youtu\.be)(?P<rest>[/?#][!-\[\]-~]*)?"
)
SHORT_VIDEO = re.compile(r"/(?P<id>[\w\-]+)/?(?:\?(?P<query>[^#]*))?(?P<fragment>#.*)?", re.ASCII)
# Pages that send the reader on to an address given in the query.
FORWARDING_PAGES = frozenset(
    {"attribution_link", "linkredirect", "logout", "redirect", "servicelogin", "signin", "url"}
)
ID = re.compile(r"[\w\-]{1,64}", re.ASCII)
# `/shorts/…` and its like are pages of one video, too.
VIDEO_IN_PATH = re.compile(r"/(?:shorts|live|embed|v|e)/(?P<id>[\w\-]{1,64})/?", re.ASCII)
# `90`, `90s`, `1m30s`, `1h2m3s`.
START = re.compile(r"(?:(\d{1,3})h)?(?:(\d{1,4})m)?(?:(\d{1,6})s?)?", re.ASCII)


class Video(NamedTuple):
    """What a player needs; `start` in seconds."""

    provider: Literal["youtube"]
    id: str
    start: int
    embed_url: str


def is_youtube(host: str) -> bool:
    host = host.removesuffix(".")
    return len(host) <= LONGEST_HOST and (
        host in {"youtube.com", "youtu.be"} or host.endswith(".youtube.com")
    )


def is_forwarding_page(path: str) -> bool:
    page = unquote_plus(path).strip("/\\ ").lower()
    return page.partition("/")[0] in FORWARDING_PAGES


def stored_address(url: str) -> str | None:
    """The form in which a page of YouTube is stored: https, and `youtu.be` in its long form. None if
    it is not strictly spelled."""
    match = VIDEO.fullmatch(url)
    if match is None:
        return None
    host, rest = match["host"].lower(), match["rest"] or ""
    if host == "youtu.be" and rest.startswith("/watch?"):
        host = "www.youtube.com"
    if host != "youtu.be":
        return f"https://{host}{rest}"
    short = SHORT_VIDEO.fullmatch(rest)
    if short is None:
        return None
    # The id is the path's: a second `v` in the query would name another video.
    query = [part for part in (short["query"] or "").split("&") if part and part[:2] != "v="]
    fragment = short["fragment"] or ""
    return f"https://www.youtube.com/watch?{'&'.join([f'v={short["id"]}', *query])}{fragment}"


@lru_cache(maxsize=10_000)
def video_at(address: str) -> Video | None:
    """What of a stored address can be embedded: a video or a playlist. None if there is neither."""
    parts = urlsplit(address)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    path = parts.path.rstrip("/")
    listed = query.get("list", "")
    if path in {"/playlist", "/embed/videoseries"}:
        if not ID.fullmatch(listed):
            return None
        embed_url = f"https://www.youtube.com/embed/videoseries?list={listed}"
        return Video("youtube", listed, 0, embed_url)
    in_path = VIDEO_IN_PATH.fullmatch(parts.path)
    video_id = in_path["id"] if in_path else query.get("v", "") if path == "/watch" else ""
    if not ID.fullmatch(video_id):
        return None
    start = _seconds(query.get("start") or query.get("t") or parts.fragment.removeprefix("t="))
    from_there = f"?start={start}" if start else ""
    return Video(
        "youtube", video_id, start, f"https://www.youtube.com/embed/{video_id}{from_there}"
    )


def _seconds(text: str) -> int:
    match = START.fullmatch(text)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    return hours * 3600 + minutes * 60 + seconds
