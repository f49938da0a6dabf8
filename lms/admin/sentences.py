"""What staff read of who will hear of changes, and when."""

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lms.mails import LINES, Line
from lms.services.forecasts import Forecast
from project.common.admin.base import moment_shown

NOTHING_TO_TELL = gettext_lazy("Nobody will be notified: there is no change to tell of.")


def who_is_mailed(forecast: Forecast) -> str:
    """Before a course is saved, and after it."""
    if not forecast.course.is_published:
        return _("Nobody will be notified: the course is not published.")
    if not forecast.lines:
        return str(NOTHING_TO_TELL)
    if not forecast.is_sent:
        return _(
            "Nobody will be notified now. The next email about the course will name the price."
        )
    if not (forecast.number or forecast.daily):
        return _("Nobody will be notified: the course has no subscribers whom email reaches.")
    return " ".join(filter(None, [_at_once(forecast), _daily(forecast)]))


def _at_once(forecast: Forecast) -> str:
    if not forecast.number:
        return ""
    if is_now(forecast):
        message = ngettext(
            "%(number)d subscriber will be notified of the change by email now.",
            "%(number)d subscribers will be notified of the change by email now.",
            forecast.number,
        )
    else:
        message = ngettext(
            "On %(at)s, %(number)d subscriber will be notified of the change by email.",
            "On %(at)s, %(number)d subscribers will be notified of the change by email.",
            forecast.number,
        )
    return message % {"number": forecast.number, "at": moment_shown(forecast.at)}


def _daily(forecast: Forecast) -> str:
    message = ngettext(
        "%(number)d subscriber will read of it in their daily email.",
        "%(number)d subscribers will read of it in their daily email.",
        forecast.daily,
    )
    return message % {"number": forecast.daily} if forecast.daily else ""


def is_now(forecast: Forecast) -> bool:
    return forecast.at is None or forecast.at <= timezone.now()


def when(forecast: Forecast) -> str:
    """When what waits goes out."""
    if not forecast.course.is_published:
        return _("not before the course is published")
    if not forecast.lines:
        return _("never: all of it was undone")
    if not forecast.is_sent:
        return _("with the next change")
    return _("now") if is_now(forecast) else moment_shown(forecast.at)


def shown(line: Line) -> SafeString:
    return mark_safe(render_to_string("mail/change.html", {"line": line}))  # noqa: S308 - escaped there


def listed(forecast: Forecast, *, most: int = LINES) -> SafeString:
    """The lines of the mail, so many at most; the rest is counted."""
    lines: list[str] = [shown(line) for line in forecast.lines[:most]]
    more = len(forecast.lines) - len(lines)
    if more:
        text = ngettext("and %(more)s more change", "and %(more)s more changes", more)
        lines.append(text % {"more": more})
    items = format_html_join("", "<li>{}</li>", ((line,) for line in lines))
    return format_html('<ul class="parta-lines">{}</ul>', items) if lines else SafeString()


def written(line: Line) -> str:
    """The line without its link."""
    return render_to_string("mail/change.txt", {"line": line, "link": line.link}).strip()
