"""All that is known of YouTube's addresses: what is one, which video it names, how that is stored and
embedded. Nothing of YouTube stands elsewhere, so that a second host could have such a module, too.

What browsers make of an address that somebody typed is the matter of `lms/links.py`; finding one in
what somebody pasted, of `lms/videos.py`.
"""

import re
from typing import Literal, NamedTuple
from urllib.parse import unquote, unquote_plus

LONGEST_HOST = 253
SITE = "https://www.youtube.com"
# Pages that send the reader on to an address given in the query.
FORWARDING_PAGES = frozenset(
    {"attribution_link", "linkredirect", "logout", "redirect", "servicelogin", "signin", "url"}
)
# What else names a page in its query: the consent of visitors from Europe, and the embed service.
WRAPPING_PAGES = frozenset({"m", "oembed"}) | FORWARDING_PAGES
WRAPPED = ("u", "url", "continue", "next", "q")
# Every id that was ever given out has eleven characters; these two are names of pages.
VIDEO_ID = re.compile(r"(?!videoseries|live_stream)[\w\-]{11}(?![\w\-])", re.ASCII)
# Lists that only their owner sees, or that YouTube makes up anew for each viewer: favourites, mixes,
# the queue. They can't be embedded.
LIST_ID = re.compile(r"(?!FL|HL|LL|LM|RD|TL|UL|WL)[\w\-]{2,64}", re.ASCII)
# Pages that have the id in their path, `/shorts/ID`, and those that have it in the query.
PAGES_BY_PATH = frozenset({"e", "embed", "live", "shorts", "v", "vi", "video", "watch"})
PAGES_BY_QUERY = frozenset({"", "tv", "watch", "watch_popup"})
LIST_PAGES = frozenset({"", "embed", "embed/videoseries", "playlist", "watch"})
# `90`, `90s`, `1m30s`, `1h2m3s`.
START = re.compile(r"(?:(\d{1,3})h)?(?:(\d{1,4})m)?(?:(\d{1,6})s?)?", re.ASCII | re.IGNORECASE)
STARTS = ("start", "t", "time_continue")


class Video(NamedTuple):
    """What a player needs, and how it is stored. Of a playlist without a video of its own, `id` is the
    same as `playlist`; `start` in seconds."""

    provider: Literal["youtube"]
    id: str
    start: int
    playlist: str
    address: str
    embed_url: str


def is_youtube(host: str) -> bool:
    host = host.removesuffix(".")
    return len(host) <= LONGEST_HOST and (
        host in {"youtube.com", "youtu.be"} or host.endswith(".youtube.com")
    )


def is_forwarding_page(path: str) -> bool:
    page = unquote_plus(path).strip("/\\ ").lower()
    return page.partition("/")[0] in FORWARDING_PAGES


def recognise(host: str, rest: str) -> Video | None:
    """Return the video or playlist that an address of this host names; None if it names none, as a
    channel or a search. `rest` is what stands behind the host."""
    host = host.lower()
    if not is_youtube(host):
        return None
    path, query = _taken_apart(rest)
    if path.partition("/")[0].lower() in WRAPPING_PAGES:
        wrapped = next((query[name] for name in WRAPPED if name in query), "")
        inside = re.fullmatch(r"(?i)(?:https?://([a-z0-9.\-]+))?(/.*)", wrapped)
        host, rest = (inside[1] or host, inside[2]) if inside else (host, "")
        path, query = _taken_apart(rest)
    return _named(host.lower(), path, query) if is_youtube(host.lower()) else None


def _taken_apart(rest: str) -> tuple[str, dict[str, str]]:
    """The path and the query. People put `?` and `&` in each other's place, and YouTube's own pages
    the query behind `#`."""
    path, *parts = re.split("[?&#;]", rest)
    query: dict[str, str] = {}
    for part in parts:
        name, _equals, value = part.partition("=")
        query.setdefault(unquote(name).lower(), unquote(value).strip())
    return unquote(path).strip("/ "), query


def _named(host: str, path: str, query: dict[str, str]) -> Video | None:
    page = path.partition("/")[0].lower()
    playlist, video = _list_id(page, path, query), _video_id(host, page, path, query)
    if found := VIDEO_ID.match(video):
        return _video(found[0], playlist, _start(query))
    # A damaged id is no playlist, whatever stands behind it.
    is_list = video in {"", "videoseries"} and (page == "playlist" or path.lower() in LIST_PAGES)
    return _playlist(playlist) if playlist and is_list else None


def _video_id(host: str, page: str, path: str, query: dict[str, str]) -> str:
    """What stands where a page of this kind has the id of a video; empty if it has none."""
    _page, *more = path.split("/")
    if more:
        # Authors copy `/video/ID/edit` from where they upload it.
        is_video = page in PAGES_BY_PATH and (len(more) == 1 or page == "video")
        return more[0] if is_video else ""
    if page in PAGES_BY_QUERY:
        return query.get("v") or query.get("vi", "")
    return path if host == "youtu.be" and page not in LIST_PAGES else ""


def _list_id(page: str, path: str, query: dict[str, str]) -> str:
    listed = path.split("/")[1] if page == "playlist" and "/" in path else query.get("list", "")
    is_playlist = query.get("listtype", "playlist") == "playlist"
    return listed if is_playlist and LIST_ID.fullmatch(listed) else ""


def _video(video: str, playlist: str, start: int) -> Video:
    in_list = f"&list={playlist}" if playlist else ""
    from_there = f"&t={start}s" if start else ""
    embedded = [f"start={start}"] * bool(start) + [f"list={playlist}"] * bool(playlist)
    query = f"?{'&'.join(embedded)}" if embedded else ""
    return Video(
        "youtube",
        video,
        start,
        playlist,
        f"{SITE}/watch?v={video}{in_list}{from_there}",
        f"{SITE}/embed/{video}{query}",
    )


def _playlist(playlist: str) -> Video:
    return Video(
        "youtube",
        playlist,
        0,
        playlist,
        f"{SITE}/playlist?list={playlist}",
        f"{SITE}/embed/videoseries?list={playlist}",
    )


def _start(query: dict[str, str]) -> int:
    match = START.fullmatch(next((query[name] for name in STARTS if query.get(name)), ""))
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    start = hours * 3600 + minutes * 60 + seconds
    # As `START` reads it again.
    return start if start < 1_000_000 else 0
