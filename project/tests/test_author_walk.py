"""An author of the staff writes a programming course in a browser, with photographs of a phone."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from lms.models import Course, Lesson
from lms.tests.factories import CourseFactory, LessonFactory
from lms.tests.video_cases import EMBED, ID, LIST, VIDEO
from people.models import User

pytestmark = [
    pytest.mark.any_database,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]

TEXT = """# Loops

Move the model: `model.to(device)`. **Then** train.

```python
for epoch in range(10):
    x.to(device)
```
"""
# As phones take them: 12 to 64 megapixels, more than 5 MiB.
PHOTOGRAPHS: list[tuple[tuple[int, int], dict[str, Any]]] = [
    ((4032, 3024), {}),
    ((5712, 4284), {}),
    ((8064, 6048), {}),
    ((8064, 6048), {"progressive": True}),
    ((9248, 6936), {}),
]
# What is copied on a computer and a telephone, and the video it is.
PASTED = {
    f"https://www.youtube.com/watch?v={ID}&pp=ygUJcmljayByb2xs&ab_channel=School": VIDEO,
    f"https://youtu.be/{ID}?si=3dPgAhuWSGWYs1tw": VIDEO,
    f"https://youtu.be/{ID}?si=3dPgAhuWSGWYs1tw&t=90": f"{VIDEO}&t=90s",
    f"youtube.com/watch?v={ID}": VIDEO,
    f"https://m.youtube.com/watch?v={ID}": VIDEO,
    f"https://youtube.com/shorts/{ID}?feature=share": VIDEO,
    f"https://www.youtube.com/live/{ID}?t=90s": f"{VIDEO}&t=90s",
    f"https://www.youtube.com/watch?v={ID}&list={LIST}&index=3": f"{VIDEO}&list={LIST}",
    EMBED.format(f"{ID}?si=3dPgAhuWSGWYs1tw", "YouTube video player"): VIDEO,
    f"Циклы в Python за час\nhttps://youtu.be/{ID}?si=3dPgAhuWSGWYs1tw\n\nОтправлено с телефона": VIDEO,
}


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    exif = Image.Exif()
    exif[0x0112] = 6  # held upright
    files = [tmp_path / f"{number}.jpg" for number in range(len(PHOTOGRAPHS))]
    for file, (size, options) in zip(files, PHOTOGRAPHS, strict=True):
        Image.new("L", size, "teal").save(file, exif=exif, **options)
        with file.open("ab") as taken:
            taken.write(bytes(6_000_000))
    return files


@pytest.fixture
def author(author: User) -> User:
    author.is_staff = True
    author.save(update_fields=["is_staff"])
    rights = [f"{may}_{what}" for may in ("view", "change") for what in ("course", "lesson")]
    author.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return author


@pytest.fixture
def course(author: User) -> Course:
    return CourseFactory.create(owner=author, title="Python")


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()


def test_a_lesson_with_code_is_seen_as_it_will_be_and_what_is_refused_is_said_at_once(
    page, enter, author, course
):
    lesson = LessonFactory.create(course=course, description="")
    enter(author)
    page.goto(f"/admin/lms/lesson/{lesson.pk}/change/")
    description = page.get_by_label("Description", exact=True)
    shown = page.get_by_role("region", name="What learners will see")
    description.fill(f"{TEXT}\nMore on https://evil.example/loops")
    expect(shown.get_by_role("heading", name="Loops")).to_be_visible()
    expect(shown.locator("pre > code.language-python")).to_contain_text("x.to(device)")
    said = page.locator(".field-description").get_by_role("status")
    expect(said).to_contain_text("evil.example")
    expect(description).to_have_attribute("aria-invalid", "true")
    description.fill(TEXT)
    expect(said).to_be_empty()
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    lesson.refresh_from_db()
    assert lesson.description.replace("\r\n", "\n").strip() == TEXT.strip()


def paste(page: Page, field: Locator, text: str) -> None:
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    field.focus()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.press("ControlOrMeta+V")


def test_ten_kinds_of_videos_are_pasted_into_one_form(page, enter, author, course, pictures):
    """What leads to no video is said at its field, and keeps none of the others."""
    lessons = LessonFactory.create_batch(len(PASTED), course=course, video_url="")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    enter(author)
    page.goto(f"/admin/lms/course/{course.pk}/change/")
    fields = []
    for lesson, text in zip(lessons, PASTED, strict=True):
        page.get_by_role("button", name=lesson.title, exact=True).click()
        fields.append(page.locator(f"#id_lesson-{lesson.pk}-video_url"))
        paste(page, fields[-1], text)
    for wrong, said in {
        "мой канал https://www.youtube.com/@school": "This leads to no video.",
        "https://vimeo.com/76979871": "Only links to YouTube are allowed here",
    }.items():
        paste(page, fields[4], wrong)
        save(page)
        expect(page.get_by_text("1 error: nothing was saved.")).to_be_visible()
        expect(page.locator(f"#lesson-{lessons[4].pk}").get_by_text(said)).to_be_visible()
        expect(fields[4]).to_have_value(wrong)
        pictures(page, f"video-{len(wrong)}")
    paste(page, fields[4], [*PASTED][4])
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    stored = course.lessons.order_by("pk").values_list("video_url", flat=True)
    assert [*stored] == [*PASTED.values()]


def test_five_photographs_of_a_phone_are_taken_as_they_are_in_one_form(
    page, enter, author, course, photographs
):
    """They survive an error, too."""
    lessons = [LessonFactory.create(course=course, position=number) for number in range(5)]
    enter(author)
    page.goto(f"/admin/lms/course/{course.pk}/change/")
    for lesson, file in zip(lessons, photographs, strict=True):
        page.get_by_role("button", name=lesson.title, exact=True).click()
        page.locator(f"#id_lesson-{lesson.pk}-preview").set_input_files(file)
    shown = page.get_by_role("img", name="The chosen picture")
    expect(shown).to_have_count(5, timeout=30_000)
    page.locator("#id_title").fill("")
    save(page)
    expect(page.get_by_text("1 error: nothing was saved.")).to_be_visible()
    expect(shown).to_have_count(5)
    page.locator("#id_title").fill("Python")
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    names = Lesson.objects.values_list("preview", flat=True)
    assert all(name.endswith("-1200x1600.webp") for name in names)


def test_a_photograph_that_was_not_sent_before_the_form_survives_an_error_too(
    page, enter, author, course, photographs
):
    enter(author)
    page.route("**/picture/", lambda route: route.fulfill(body=""))
    page.goto(f"/admin/lms/course/{course.pk}/change/")
    page.get_by_label("Preview picture").set_input_files(photographs[0])
    page.locator("#id_title").fill("")
    save(page)
    expect(page.get_by_role("img", name="The chosen picture")).to_be_visible()
    page.locator("#id_title").fill("Python, again")
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    course.refresh_from_db()
    assert (course.title, str(course.preview.name)[-15:]) == ("Python, again", "-1200x1600.webp")
