"""Rules for the materials of a course: links (docs/rules.md, 7) and prices (6.1)."""

import re
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from lms import links, markdown
from lms.videos import videos_in
from project.common.link_words import SENTENCE_STARTS
from project.common.links import LONGEST_QUOTE
from project.common.money import fits_currency, highest_charge, lowest_charge, shown

# What nobody writes by mistake.
ADDRESS = re.compile(r"(?i)[a-z][a-z0-9+.\-]*:|[\\/]{2}|www\d*\.")
NO_VIDEO = _(
    "This leads to no video. Paste the address of a video or playlist on YouTube, such as "
    "https://youtu.be/dQw4w9WgXcQ."
)
SEVERAL_VIDEOS = _("This leads to several videos. Paste the address of one.")


def validate_title(text: str) -> None:
    """Refuse plain text with a link to anything but YouTube (code `foreign_link`)."""
    if (link := links.foreign_link(text)) is not None:
        raise foreign_link(link)


def validate_description(text: str) -> None:
    """Refuse Markdown with a link to anything but YouTube (code `foreign_link`)."""
    if (link := markdown.foreign_link(text)) is not None:
        raise foreign_link(link, in_markdown=True)


def stored_video_url(text: str) -> str:
    """Return the address of the video that somebody pasted in the form in which it is stored; empty, if
    the text is. Raises ValidationError: `foreign_link`, `no_video`."""
    if not text:
        return ""
    videos, others = videos_in(text)
    # A title that stands beside the address may have what looks like a host, but no second address.
    validate_title(" ".join(word for word in others if "//" in word) if videos else text)
    if len(videos) != 1:
        raise ValidationError(SEVERAL_VIDEOS if videos else NO_VIDEO, code="no_video")
    return videos[0].address


def validate_video_url(text: str) -> None:
    """Refuse what names no single video (codes `foreign_link`, `no_video`)."""
    stored_video_url(text)


def foreign_link(link: str, *, in_markdown: bool = False) -> ValidationError:
    """Say what to do about a word that its author may not have meant as a link."""
    message = _("Only links to YouTube are allowed here, not “%(link)s”.")
    if not ADDRESS.match(link):
        ending = link.rpartition(".")[2].capitalize()
        if ending in SENTENCE_STARTS:
            message = _(
                "“%(link)s” would be a link, and only links to YouTube are allowed here. If a sentence "
                "begins there, leave a space after the full stop."
            )
        elif in_markdown:
            message = _(
                "“%(link)s” would be a link, and only links to YouTube are allowed here. If it is part of "
                "a program, put it in code marks: `%(link)s`."
            )
    return ValidationError(message, code="foreign_link", params={"link": link[:LONGEST_QUOTE]})


def validate_price(price: Decimal) -> None:
    """Refuse an amount finer than the smallest unit of the installation's currency, and one that
    nobody could be charged with. 0 is free."""
    if not fits_currency(price, settings.CURRENCY):
        raise ValidationError(
            _("This amount has too many decimal places for %(currency)s."),
            code="amount_too_fine",
            params={"currency": settings.CURRENCY},
        )
    lowest, highest = lowest_charge(settings.CURRENCY), highest_charge(settings.CURRENCY)
    if 0 < price < lowest:
        raise ValidationError(
            _("A price can't be less than %(limit)s, except 0 for free."),
            code="price_too_low",
            params={"limit": shown(lowest, settings.CURRENCY)},
        )
    if price > highest:
        raise ValidationError(
            _("A price can't be more than %(limit)s."),
            code="price_too_high",
            params={"limit": shown(highest, settings.CURRENCY)},
        )
