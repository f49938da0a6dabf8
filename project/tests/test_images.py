"""Pictures: which are accepted, who decodes them, and when their files come and go."""

import logging
import os
import signal
import struct
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from PIL import Image

from lms.tests.factories import CourseFactory
from people.services.accounts import set_avatar
from people.tests.factories import UserFactory
from project.common import images
from project.common.images import PicturesBusy, chosen, clean_image


def encode(picture, kind, **options):
    encoded = BytesIO()
    picture.save(encoded, kind, **options)
    return encoded.getvalue()


def clean(content):
    return clean_image(SimpleUploadedFile("x.png", content))


def plain():
    return Image.new("RGB", (20, 10), "red")


def test_a_picture_and_its_thumbnail_come_back_from_the_process_that_decodes():
    picture = clean(encode(Image.new("RGB", (2000, 1000), "teal"), "JPEG"))
    assert picture.name == "1600x800.webp"
    assert Image.open(picture).size == (1600, 800)
    assert Image.open(BytesIO(picture.thumbnail)).size == (480, 240)


def half(content):
    return content[: len(content) // 2]


noise = Image.effect_noise((200, 200), 50)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xd8\xff",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        encode(plain(), "GIF"),
        encode(plain(), "BMP"),
        encode(plain(), "TIFF"),
        half(encode(noise, "JPEG")),
        half(encode(noise, "PNG")),
        half(encode(noise, "WEBP")),
        encode(plain(), "PNG").replace(b"IDAT", b"IDXT"),
    ],
)
def test_what_is_not_a_whole_picture_is_refused(content):
    with pytest.raises(ValidationError) as refused:
        clean(content)
    assert refused.value.code == "invalid_image"


@pytest.mark.parametrize("size", [(5001, 5000), (20_000, 20_000)])
def test_what_has_too_many_pixels_is_refused(size):
    with pytest.raises(ValidationError) as refused:
        clean(encode(Image.new("1", size), "PNG"))
    assert refused.value.code == "image_too_large"


def declared(width: int, height: int) -> bytes:
    """A small JPEG that says it is this large."""
    content: bytes = encode(plain(), "JPEG")
    start = content.index(b"\xff\xc0") + 5
    return content[:start] + struct.pack(">HH", height, width) + content[start + 4 :]


def photograph() -> bytes:
    """As a phone takes it: 48 megapixels, 7 MB, held upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    taken: bytes = encode(Image.new("L", (8064, 6048), "gray"), "JPEG", exif=exif)
    return taken + bytes(6_500_000)


def test_a_photograph_of_a_phone_is_made_smaller_where_people_choose_it():
    upload = SimpleUploadedFile("IMG_0001.jpg", photograph())
    assert clean_image(upload, limits=chosen()).name == "1200x1600.webp"
    upload.seek(0)
    with pytest.raises(ValidationError, match="larger than 5 MiB"):
        clean_image(upload)


@pytest.mark.parametrize(
    ("content", "limit"),
    [(declared(12_001, 10_000), 120), (encode(Image.new("1", (7072, 7072)), "PNG"), 50)],
)
def test_what_would_take_too_much_memory_is_refused_there_too(content, limit):
    with pytest.raises(ValidationError, match=f"more than {limit} megapixels") as refused:
        clean_image(SimpleUploadedFile("x.jpg", content), limits=chosen())
    assert refused.value.code == "image_too_large"


def test_a_picture_in_the_format_of_iphones_is_refused_with_what_to_do():
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    with pytest.raises(ValidationError, match="Most Compatible") as refused:
        clean(heic)
    assert refused.value.code == "invalid_image"


# --- The process that decodes ---------------------------------------------------------------------


@pytest.fixture
def decoder(monkeypatch, tmp_path):
    """Put a program of these lines in the place of the one that decodes."""

    def put(lines):
        program = tmp_path / "decoder"
        program.write_text(f"#!{sys.executable}\n{lines}\n")
        program.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(program))

    return put


CONTENT = encode(plain(), "PNG")


@pytest.mark.parametrize("ending", [signal.SIGSEGV, signal.SIGABRT, signal.SIGXCPU])
def test_a_picture_that_its_decoder_dies_of_is_refused(decoder, ending):
    decoder(f"import os; os.kill(os.getpid(), {int(ending)})")
    with pytest.raises(ValidationError) as refused:
        clean(CONTENT)
    assert refused.value.code == "invalid_image"


def children():
    """The processes that this one has started and not waited for."""
    return {
        child
        for thread in Path("/proc/self/task").iterdir()
        for child in (thread / "children").read_text().split()
    }


@pytest.mark.parametrize(
    "lines",
    ["import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "import nothing_like_that",
     "import time; time.sleep(60)"],
    ids=["no memory", "broken", "no time"],
)  # fmt: skip
def test_a_picture_that_was_not_decoded_for_other_reasons_may_come_again(
    decoder, lines, monkeypatch, caplog
):
    monkeypatch.setattr(images, "DECODED_WITHIN", 1)
    decoder(lines)
    before = children()
    with pytest.raises(PicturesBusy):
        clean(CONTENT)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert children() == before, "nothing is left of it"


def test_without_a_process_that_decodes_a_picture_may_come_again(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(PicturesBusy):
        clean(CONTENT)
    monkeypatch.undo()
    assert clean(CONTENT).name == "20x10.webp"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems bound less")
def test_the_process_that_decodes_has_bounds():
    """Those of the time and the memory; it lets all others go first."""
    shown = """
import os, resource
from project.common import decoding
decoding.limit_process()
print(resource.getrlimit(resource.RLIMIT_CPU)[0], resource.getrlimit(resource.RLIMIT_AS)[0] >> 20,
      os.nice(0))
"""
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["15", "640", str(min(os.nice(0) + 10, 19))]


# --- Places -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_who_finds_no_place_is_told_to_come_back(api, author, settings):
    course = CourseFactory.create(owner=author)
    taken = max(1, settings.WEB_THREADS // 2)
    assert all(images._places.acquire(blocking=False) for _place in range(taken))
    try:
        refused = api(author).upload(f"courses/{course.pk}/preview", CONTENT)
    finally:
        images._places.release(taken)
    assert (refused.status_code, refused["Retry-After"]) == (503, "2")
    assert refused.json()["code"] == "pictures_busy"
    assert api(author).upload(f"courses/{course.pk}/preview", CONTENT).status_code == 200


def test_who_has_a_place_waits_for_their_turn_but_not_for_long(monkeypatch):
    monkeypatch.setattr(images, "PATIENCE", 0.01)
    with images._turn, pytest.raises(PicturesBusy):
        clean(CONTENT)
    assert clean(CONTENT).name == "20x10.webp"


@pytest.mark.django_db
def test_in_the_admin_it_is_said_at_the_field(client_of, moderator, monkeypatch):
    monkeypatch.setattr(images, "PATIENCE", 0.01)
    course = CourseFactory.create()
    form = {"title": course.title, "preview": SimpleUploadedFile("a.png", CONTENT, "image/png")}
    with images._turn:
        page = client_of(moderator).post(f"/admin/lms/course/{course.pk}/change/", form)
    errors = page.context["adminform"].form.errors
    assert "Try again in a few seconds" in str(errors["preview"])


# --- Files --------------------------------------------------------------------------------------


def stored_avatars():
    return (
        set(default_storage.listdir("avatars")[1]) if default_storage.exists("avatars") else set()
    )


def cleaned():
    return clean(CONTENT)


def test_new_file_is_removed_if_the_row_cannot_be_saved(db, monkeypatch):
    user = UserFactory.create()
    before = stored_avatars()
    monkeypatch.setattr(type(user), "save", lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        set_avatar(user=user, picture=cleaned())
    assert stored_avatars() == before


@pytest.mark.django_db(transaction=True)
def test_old_file_stays_until_the_commit():
    user = UserFactory.create()
    first = str(set_avatar(user=user, picture=cleaned()).avatar.name)
    with transaction.atomic():
        set_avatar(user=user, picture=None)
        assert default_storage.exists(first)
    assert not default_storage.exists(first)


@pytest.mark.django_db(transaction=True)
def test_replacement_goes_by_the_row_not_by_what_was_read_before():
    user = UserFactory.create()
    stale = type(user).objects.get(pk=user.pk)
    first = str(set_avatar(user=user, picture=cleaned()).avatar.name)
    second = str(set_avatar(user=stale, picture=cleaned()).avatar.name)
    assert not default_storage.exists(first)
    assert default_storage.exists(second)
