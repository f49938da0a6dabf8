"""Photographs every page of the admin for each role, language, theme and width:
`uv run python -m project.tests.photographs FOLDER`. Takes about a quarter of an hour.

The school is that of the pictures in the README. A page is one that somebody of the role gets to by links.
Each sheet, `<role>-<language>-<theme>-<width>-<number>.webp`, shows some of them side by side.
"""

import argparse
import os
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator
from io import BytesIO
from itertools import batched, product
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import playwright.sync_api as playwright
from PIL import Image, ImageDraw

from docs import screenshots

if TYPE_CHECKING:
    from people.models import User

CHOICES = {
    "role": ("administrators", "moderators", "accountants", "support", "content editors"),
    "language": ("ru", "en"),
    "theme": ("light", "dark"),
    "width": ("1440", "390"),
}
# How many stand side by side on a sheet, in how many rows, and how wide each is there.
LAYOUTS = {"1440": (3, 2, 520), "390": (6, 1, 260)}
# Of a screen, and of what is shown of a long page.
HEIGHT, SHOWN_AT_MOST = 900, 1600
LABEL = 24
# Of pages that are of the same kind.
OF_EACH = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    for name, values in CHOICES.items():
        parser.add_argument(f"--{name}", choices=values, action="append")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with screenshots.served_school() as url, playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        chosen = [getattr(options, name) or values for name, values in CHOICES.items()]
        for role, language, theme, width in product(*chosen):
            context = browser.new_context(
                base_url=url,
                locale=language,
                timezone_id=screenshots.ZONE,
                viewport={"width": int(width), "height": HEIGHT},
                color_scheme="dark" if theme == "dark" else "light",
                reduced_motion="reduce",
            )
            person = somebody(role, language)
            session = screenshots.session_of(person)
            context.add_cookies([session | {"url": url}])  # type: ignore[list-item]
            pictures = photographs(context.new_page(), addresses_for(person))
            across, rows, each = LAYOUTS[width]
            for number, some in enumerate(batched(pictures, across * rows, strict=False), 1):
                name = f"{role}-{language}-{theme}-{width}-{number}.webp".replace(" ", "-")
                sheet(some, across, each).save(options.folder / name, quality=80)
                sys.stdout.write(f"{name}: {', '.join(address for address, _picture in some)}\n")
            context.close()


def somebody(role: str, language: str) -> "User":
    from people.models import Role, User  # noqa: PLC0415

    if role == "administrators":
        person: User = User.objects.get(email="admin@parta.example")
    else:
        person, _created = User.objects.get_or_create(
            email=f"{role.replace(' ', '.')}@parta.example", defaults={"first_name": "Max"}
        )
        person.groups.set([Role.objects.get(name=role).pk])
    person.is_staff = True
    person.language = language
    person.save()
    return person


def addresses_for(person: "User") -> list[str]:
    from django.test import Client  # noqa: PLC0415
    from django.urls import resolve  # noqa: PLC0415

    from project.tests.admin_walk import walk  # noqa: PLC0415

    client = Client()
    client.force_login(person)
    seen, _refused = walk(client)
    # Of lists that are ordered and filtered otherwise the bare one, of rows the first few.
    pages = {urlsplit(address).path: address for address in sorted(seen, reverse=True)}
    known: dict[str, list[str]] = defaultdict(list)
    for path, address in sorted(pages.items()):
        if "<html" in seen[address]:
            known[str(resolve(path).url_name)].append(address)
    return [address for some in known.values() for address in some[:OF_EACH]]


def photographs(page: playwright.Page, addresses: list[str]) -> Iterator[tuple[str, Image.Image]]:
    for address in addresses:
        page.goto(address, wait_until="networkidle")
        picture = Image.open(BytesIO(page.screenshot(full_page=True))).convert("RGB")
        yield address, picture.crop((0, 0, picture.width, min(picture.height, SHOWN_AT_MOST)))


def sheet(pictures: tuple[tuple[str, Image.Image], ...], across: int, each: int) -> Image.Image:
    small = [
        (
            address,
            picture.resize(
                (each, picture.height * each // picture.width), Image.Resampling.LANCZOS
            ),
        )
        for address, picture in pictures
    ]
    rows = list(batched(small, across, strict=False))
    heights = [LABEL + max(picture.height for _address, picture in row) for row in rows]
    whole = Image.new("RGB", (across * each, sum(heights)), "white")
    draw = ImageDraw.Draw(whole)
    for number, row in enumerate(rows):
        top = sum(heights[:number])
        for place, (address, picture) in enumerate(row):
            draw.text((place * each + 8, top + 6), address, fill="black")
            whole.paste(picture, (place * each, top + LABEL))
    return whole


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.test_settings"
    main()
