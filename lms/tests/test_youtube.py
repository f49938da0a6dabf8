"""What of an address of YouTube a player can show."""

import pytest

from lms.links import video_address
from lms.youtube import Video, video_at

EMBED = "https://www.youtube.com/embed/"


@pytest.mark.parametrize(
    ("typed", "start"),
    [
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ", 0),
        ("http://youtube.com/watch?v=dQw4w9WgXcQ&list=PL1", 0),
        ("https://m.youtube.com/watch?app=desktop&v=dQw4w9WgXcQ&t=90", 90),
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=90s", 90),
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=1h2m3s", 3723),
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=2m", 120),
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ#t=15", 15),
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=soon", 0),
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=99999999999999999999", 0),
        ("https://www.youtube.com/watch/?v=dQw4w9WgXcQ", 0),
        ("https://youtu.be/dQw4w9WgXcQ", 0),
        ("https://youtu.be/dQw4w9WgXcQ?si=abc&t=7", 7),
        ("https://www.youtube.com/shorts/dQw4w9WgXcQ", 0),
        ("https://www.youtube.com/live/dQw4w9WgXcQ?t=5", 5),
        ("https://www.youtube.com/embed/dQw4w9WgXcQ?start=30", 30),
        ("https://www.youtube.com/v/dQw4w9WgXcQ/", 0),
    ],
)
def test_a_video_is_embedded_from_where_the_address_says(typed, start):
    stored = video_address(typed)
    assert stored is not None
    from_there = f"?start={start}" if start else ""
    embed_url = f"{EMBED}dQw4w9WgXcQ{from_there}"
    assert video_at(stored) == Video("youtube", "dQw4w9WgXcQ", start, embed_url)


@pytest.mark.parametrize(
    "typed",
    [
        "https://www.youtube.com/playlist?list=PL1-_a",
        "https://www.youtube.com/embed/videoseries?list=PL1-_a",
    ],
)
def test_a_playlist_is_embedded_as_a_series(typed):
    stored = video_address(typed)
    assert stored is not None
    assert video_at(stored) == Video("youtube", "PL1-_a", 0, f"{EMBED}videoseries?list=PL1-_a")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://www.youtube.com",
        "https://www.youtube.com/",
        "https://www.youtube.com/@school",
        "https://www.youtube.com/results?search_query=bread",
        "https://www.youtube.com/watch",
        "https://www.youtube.com/watch?v=",
        "https://www.youtube.com/watch?v=%22%3E",
        "https://www.youtube.com/watch?v=a%2F..%2Fb",
        "https://www.youtube.com/playlist?list=",
        "https://www.youtube.com/embed/videoseries",
        "https://www.youtube.com/shorts/a/b",
    ],
)
def test_what_is_no_video_is_not_embedded(address):
    assert video_at(address) is None
