"""The panels of the dashboard, one function each."""

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lms.models.visibility import sees_all_content
from people.current_user import current_user
from people.models import User
from project.admin_site.menu import registered
from project.admin_site.statistics import kept, last_days
from project.admin_site.widgets import (
    Attention,
    Chart,
    Figure,
    Panel,
    ShareChart,
    by_day,
)
from project.common.background import queue
from project.mail.models import Delivery, Mailing, MailServer


def list_url(label: str, query: str = "") -> str | None:
    """Address of the list of a model, None as long as it has none."""
    model_admin = registered(label)
    if model_admin is None:
        return None
    options = model_admin.opts
    return reverse(f"admin:{options.app_label}_{options.model_name}_changelist") + query


def may_see(request: HttpRequest, label: str) -> bool:
    model_admin = registered(label)
    return model_admin is not None and model_admin.has_view_or_change_permission(request)


# --- Content --------------------------------------------------------------------------------


def content(request: HttpRequest) -> Panel | None:
    """For those who look after everybody's courses: moderators and administrators."""
    if not sees_all_content(current_user(request)) or not may_see(request, "lms.Course"):
        return None
    numbers = kept("content")
    courses, lessons = list_url("lms.Course"), list_url("lms.Lesson")
    published = list_url("lms.Course", "?is_published__exact=1")
    drafts = list_url("lms.Course", "?is_published__exact=0")
    return Panel(
        title=_("Content"),
        figures=[
            Figure(_("Published courses"), numbers["published"], published),
            Figure(_("Drafts"), numbers["drafts"], drafts),
            Figure(_("Lessons"), numbers["lessons"], lessons),
            Figure(_("Subscriptions"), numbers["subscriptions"], courses),
        ],
        charts=_rankings(numbers["top"], numbers["completion"], courses),
    )


def _rankings(
    top: list[tuple[str, int]], completion: list[tuple[str, int]], url: str | None
) -> list[Chart]:
    """The most followed courses, and how far their learners have come."""
    charts = []
    if top:
        series = {_("Subscribers"): [number for _title, number in top]}
        titles = [title for title, _number in top]
        charts.append(Chart(_("Courses by subscribers"), "bar", titles, series, url))
    if completion:
        series = {_("Lessons completed, %"): [percent for _title, percent in completion]}
        titles = [title for title, _percent in completion]
        charts.append(ShareChart(_("Completion"), "bar", titles, series, url))
    return charts


# --- People ---------------------------------------------------------------------------------


def people(request: HttpRequest) -> Panel | None:
    if not may_see(request, "people.User"):
        return None
    numbers = kept("people")
    days = last_days()
    recent = f"?date_joined_from={days[0]}&date_joined_to={days[-1]}"
    labels, joined = by_day(numbers["joined"])
    _labels, seen = by_day(numbers["seen"])
    return Panel(
        title=_("People"),
        attention=_soon_blocked(User.objects.soon_blocked_count()),
        figures=[
            Figure(_("Active people"), numbers["active"], list_url("people.User", "?state=active")),
            Figure(_("New in 30 days"), sum(joined), list_url("people.User", recent)),
            Figure(
                _("Blocked people"), numbers["blocked"], list_url("people.User", "?state=blocked")
            ),
        ],
        charts=[
            Chart(
                _("New and active people per day"),
                "line",
                labels,
                {_("New"): joined, _("Last seen"): seen},
                list_url("people.User", recent),
            )
        ],
    )


def _soon_blocked(number: int) -> list[Attention]:
    if not number:
        return []
    text = ngettext(
        "%(number)d account will be blocked for inactivity this week.",
        "%(number)d accounts will be blocked for inactivity this week.",
        number,
    )
    url = list_url("people.User", "?soon_blocked=1")
    return [Attention(text % {"number": number}, url, "hourglass_bottom")]


# --- Background work ------------------------------------------------------------------------


def background(request: HttpRequest) -> Panel | None:
    """For administrators: is anybody working, and did anything fail?"""
    if not request.user.is_superuser:
        return None
    attention = []
    last = queue.last_execution()
    if last is None or timezone.now() - last > queue.SILENCE_LIMIT:
        text = _("No background worker is running: mails and other tasks wait.")
        attention.append(Attention(text, list_url("django_q.OrmQ"), "engineering", is_danger=True))
    if failed := queue.failed_count():
        text = ngettext("%(number)d task failed.", "%(number)d tasks failed.", failed)
        url = list_url("django_q.Failure")
        attention.append(Attention(text % {"number": failed}, url, "error", is_danger=True))
    return Panel(title=_("Background work"), attention=attention + _mails())


def _mails() -> list[Attention]:
    attention = []
    if since := MailServer.objects.values_list("failing_since", flat=True).first():
        text = _("The mail server has not answered for %(time)s; mails wait.")
        url = list_url("mail.Delivery", "?outcome=waiting")
        attention.append(Attention(text % {"time": timesince(since)}, url, "cloud_off"))
    if failed := Delivery.objects.failed_lately().count():
        text = ngettext(
            "%(number)d mail of the last seven days failed.",
            "%(number)d mails of the last seven days failed.",
            failed,
        )
        url = list_url("mail.Delivery", "?outcome=failed_lately")
        attention.append(Attention(text % {"number": failed}, url, "unsubscribe", is_danger=True))
    if parked := Mailing.objects.parked().count():
        text = ngettext(
            "%(number)d mailing was given up.", "%(number)d mailings were given up.", parked
        )
        url = list_url("mail.Mailing", "?attention=parked")
        attention.append(Attention(text % {"number": parked}, url, "campaign", is_danger=True))
    return attention
