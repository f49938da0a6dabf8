"""Which video or playlist a pasted text names (docs/rules.md, 7.2), and how a player shows it (11.9)."""

from collections.abc import Iterable
from time import perf_counter

import pytest
from django.core.exceptions import ValidationError

from lms.tests.video_cases import ID, LIST, REFUSED, TAKEN, VIDEO
from lms.validators import stored_video_url
from lms.videos import LONGEST_PASTE, video_at
from project.common.links import LONGEST_QUOTE

EMBED = "https://www.youtube.com/embed/"


def table(groups: dict[str, list[str]]) -> Iterable[object]:
    return [pytest.param(text, kind, id=text) for kind, texts in groups.items() for text in texts]


@pytest.mark.parametrize(("text", "stored"), table(TAKEN))
def test_what_people_paste_is_stored_in_one_form(text, stored):
    assert stored_video_url(text) == stored
    assert stored_video_url(stored) == stored


@pytest.mark.parametrize(("text", "code"), table(REFUSED))
def test_what_is_no_video_is_refused(text, code):
    with pytest.raises(ValidationError) as refused:
        stored_video_url(text)
    assert refused.value.code == code


def test_nothing_is_no_video():
    assert stored_video_url("") == ""
    assert video_at("") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("https://www.youtube.com/@school", "Paste the address of a video or playlist on YouTube"),
        (f"{VIDEO} https://youtu.be/xvFZjo5PgG0", "This leads to several videos."),
        ("https://vimeo.com/1", "not “https://vimeo.com/1”"),
    ],
)
def test_a_refusal_says_what_to_do(text, message):
    with pytest.raises(ValidationError, match=message):
        stored_video_url(text)


def test_a_foreign_address_is_cut_for_quoting():
    with pytest.raises(ValidationError) as refused:
        stored_video_url(f"https://evil.example/{'x' * 1000}")
    assert len((refused.value.params or {})["link"]) == LONGEST_QUOTE


@pytest.mark.parametrize(
    ("stored", "video_id", "start", "embedded"),
    [
        (VIDEO, ID, 0, ID),
        (f"{VIDEO}&t=90s", ID, 90, f"{ID}?start=90"),
        (f"{VIDEO}&list={LIST}", ID, 0, f"{ID}?list={LIST}"),
        (f"{VIDEO}&list={LIST}&t=90s", ID, 90, f"{ID}?start=90&list={LIST}"),
        (
            f"https://www.youtube.com/playlist?list={LIST}",
            LIST,
            0,
            f"videoseries?list={LIST}",
        ),
        # From before there was one form.
        (f"https://m.youtube.com/shorts/{ID}?feature=share&t=5", ID, 5, f"{ID}?start=5"),
    ],
)
def test_a_player_gets_what_the_stored_address_names(stored, video_id, start, embedded):
    video = video_at(stored)
    assert video is not None
    assert (video.provider, video.id, video.start) == ("youtube", video_id, start)
    assert video.embed_url == f"{EMBED}{embedded}"


@pytest.mark.parametrize("text", [text for text in REFUSED["no_video"] if len(text.split()) < 2])
def test_what_is_no_video_is_not_embedded(text):
    assert video_at(text) is None


@pytest.mark.parametrize("piece", ["a.", "https://", "youtu.be/", "a=", "-", "&amp;", "\\", "a"])
def test_a_hostile_text_takes_little_time(piece):
    started = perf_counter()
    with pytest.raises(ValidationError):
        stored_video_url((piece * LONGEST_PASTE)[:LONGEST_PASTE])
    assert perf_counter() - started < 0.3
