"""Which video or playlist a pasted text names (docs/rules.md, 7.2), and how a player shows it (11.9)."""

from time import perf_counter

import pytest
from django.core.exceptions import ValidationError

from lms.tests.video_cases import ID, LIST, REFUSED, TAKEN, VIDEO
from lms.validators import stored_video_url
from lms.videos import LONGEST_PASTE, video_at
from project.common.links import LONGEST_QUOTE

EMBED = "https://www.youtube.com/embed/"


def became_of(text: str) -> str | None:
    """The address that is stored, or the code of the refusal."""
    try:
        return stored_video_url(text)
    except ValidationError as refusal:
        return refusal.code


# A table is one test: as a test each, its spellings took longer to be handed out than to be judged.
def test_what_people_paste_is_stored_in_one_form():
    pasted = {text: stored for stored, texts in TAKEN.items() for text in texts}
    assert len(pasted) > 100
    assert {text: became_of(text) for text in pasted} == pasted
    assert {stored: became_of(stored) for stored in TAKEN} == {stored: stored for stored in TAKEN}


def test_what_is_no_video_is_refused():
    pasted = {text: code for code, texts in REFUSED.items() for text in texts}
    assert len(pasted) > 80
    assert {text: became_of(text) for text in pasted} == pasted


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


def test_what_is_no_video_is_not_embedded():
    texts = [text for text in REFUSED["no_video"] if len(text.split()) < 2]
    assert len(texts) > 40
    assert [text for text in texts if video_at(text)] == []


@pytest.mark.parametrize("piece", ["a.", "https://", "youtu.be/", "a=", "-", "&amp;", "\\", "a"])
def test_a_hostile_text_takes_little_time(piece):
    started = perf_counter()
    with pytest.raises(ValidationError):
        stored_video_url((piece * LONGEST_PASTE)[:LONGEST_PASTE])
    assert perf_counter() - started < 0.3
