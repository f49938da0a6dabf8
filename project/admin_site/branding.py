"""The school in the look of the admin; Unfold asks for it by path (project/admin_site/theme.py)."""

from django.http import HttpRequest
from django.templatetags.static import static

from project.admin_site.theme import PALETTE
from project.common.images import stored_picture
from project.school.current import COLOUR, current_school

# Of each shade the lightness, so that text on it and beside it can be read whatever the colour; and how
# much of the colour's chroma it has.
SHADES = {
    "50": (98, 0.1),
    "100": (95, 0.3),
    "200": (91, 0.5),
    "300": (85, 0.7),
    "400": (77, 0.9),
    "500": (70, 1),
    "600": (48, 1),
    "700": (44, 0.9),
    "800": (40, 0.8),
    "900": (35, 0.6),
    "950": (27, 0.5),
}


def name(request: HttpRequest) -> str:
    return current_school().name


def icon(request: HttpRequest) -> str:
    logo = current_school().logo
    stored = stored_picture(str(logo))
    return logo.storage.url(stored.thumbnail) if stored else static("parta/icon.svg")


def palette(request: HttpRequest) -> dict[str, str]:
    colour = current_school().colour
    if colour == COLOUR:
        return dict(PALETTE)
    return {
        shade: f"oklch(from {colour} {lightness}% calc(c * {chroma}) h)"
        for shade, (lightness, chroma) in SHADES.items()
    }
