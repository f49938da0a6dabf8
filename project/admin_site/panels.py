"""The panels of the dashboard, one function each."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import quote

from django.conf import settings
from django.db.models import Count, Min
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.timesince import timesince
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext_lazy

from lms.models.visibility import sees_all_content
from payments.models import Dispute, Finding, FindingKind, Payment, PaymentMethod
from people.current_user import current_user
from people.models import User
from people.models.querysets import DEMO_DOMAIN
from people.services.mailboxes import spelled_for_servers
from project.admin_site.menu import admin_of
from project.admin_site.statistics import kept, last_days, revenue_of
from project.admin_site.widgets import Attention, Chart, Figure, Panel, day_labels, per_day
from project.common.background import queue
from project.common.money import shown
from project.mail.models import Delivery, Mailing, MailServer

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


def list_url(label: str, query: str = "") -> str:
    return admin_of(label).url("changelist") + query


def may_see(request: HttpRequest, label: str) -> bool:
    return admin_of(label).has_view_or_change_permission(request)


def payments(request: HttpRequest) -> Panel | None:
    if not may_see(request, "payments.Payment"):
        return None
    revenue = revenue_of(kept("payments"))
    total = sum((amount for _day, _method, amount in revenue), Decimal(0))
    days = last_days()
    recent = list_url("payments.LedgerEntry", f"?day_from={days[0]}&day_to={days[-1]}")
    to_confirm = Payment.objects.to_confirm().count()
    to_confirm_url = list_url("payments.Payment", "?attention=confirm")
    to_confirm_text = ngettext_lazy(
        "%(number)d payment is waiting to be confirmed.",
        "%(number)d payments are waiting to be confirmed.",
        "number",
    )
    stuck = Payment.objects.open_too_long().count()
    stuck_url = list_url("payments.Payment", "?attention=stuck")
    stuck_text = ngettext_lazy(
        "%(number)d payment has been open for too long.",
        "%(number)d payments have been open for too long.",
        "number",
    )
    return Panel(
        title=_("Payments"),
        attention=[
            *_disputes(),
            *_findings(),
            *_if_any(to_confirm, to_confirm_text, to_confirm_url, "payments"),
            *_if_any(stuck, stuck_text, stuck_url, "hourglass_top"),
        ],
        figures=[
            Figure(_("Revenue in 30 days"), shown(total, settings.CURRENCY), recent),
            Figure(_("Awaiting confirmation"), to_confirm, to_confirm_url),
            Figure(_("Open for too long"), stuck, stuck_url),
        ],
        charts=[_revenue_chart(revenue, recent)] if revenue else [],
    )


def _disputes() -> list[Attention]:
    """Those that are lost unless somebody answers in time."""
    waiting = Dispute.objects.to_answer()
    known = waiting.aggregate(number=Count("pk"), deadline=Min("evidence_due_by"))
    text = ngettext_lazy(
        "%(number)d dispute needs an answer.", "%(number)d disputes need an answer.", "number"
    )
    url = list_url("payments.Dispute", "?attention=answer")
    found = _if_any(known["number"], text, url, "gavel", is_danger=True)
    if not found or known["deadline"] is None:
        return found
    deadline = date_format(localtime(known["deadline"]), "SHORT_DATETIME_FORMAT")
    until = capfirst(_("evidence is due by %s") % deadline)
    return [replace(entry, text=f"{entry.text} {until}") for entry in found]


def _findings() -> list[Attention]:
    """Money that did not reach a buyer first. What is open for too long is counted beside."""
    kinds = Finding.objects.pressing().exclude(kind=FindingKind.OPEN_TOO_LONG)
    numbers = dict(kinds.order_by().values_list("kind").annotate(Count("pk")))
    failed = FindingKind.REFUND_FAILED
    return [
        Attention(
            f"{capfirst(kind.label)}: {numbers[kind]}",
            list_url("payments.Finding", f"?status__exact=open&kind__exact={kind}"),
            "undo" if kind == failed else "troubleshoot",
            is_danger=kind == failed,
        )
        for kind in sorted(FindingKind, key=lambda kind: kind != failed)
        if kind in numbers
    ]


def _if_any(
    number: int, text: "StrPromise", url: str, icon: str, *, is_danger: bool = False
) -> list[Attention]:
    return [Attention(text % {"number": number}, url, icon, is_danger)] if number else []


def _revenue_chart(revenue: list[tuple[date, str, Decimal]], url: str) -> Chart:
    """One line for each method that brought something. Whole units of the currency are drawn; the
    legend tells exact sums."""
    methods: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for day, method, amount in revenue:
        methods[str(PaymentMethod(method).label)][day.isoformat()] = amount
    return Chart(
        _("Revenue per day"),
        "line",
        day_labels(),
        {
            name: per_day({day: round(amount) for day, amount in amounts.items()})
            for name, amounts in methods.items()
        },
        url,
        totals={
            name: shown(sum(amounts.values(), Decimal(0)), settings.CURRENCY)
            for name, amounts in methods.items()
        },
    )


def content(request: HttpRequest) -> Panel | None:
    """For those who look after everybody's courses: moderators and administrators."""
    if not sees_all_content(current_user(request)) or not may_see(request, "lms.Course"):
        return None
    numbers = kept("content")
    courses = list_url("lms.Course")
    return Panel(
        title=_("Content"),
        figures=[
            Figure(
                _("Published courses"), numbers["published"], f"{courses}?is_published__exact=1"
            ),
            Figure(_("Drafts"), numbers["drafts"], f"{courses}?is_published__exact=0"),
            Figure(_("Lessons"), numbers["lessons"], list_url("lms.Lesson")),
            Figure(_("Subscriptions"), numbers["subscriptions"], courses),
        ],
        charts=[
            *_ranking(_("Courses by subscribers"), _("Subscribers"), numbers["top"], courses),
            *_ranking(
                _("Completion"),
                _("Lessons completed, %"),
                numbers["completion"],
                courses,
                totals={},  # percentages have no sum
            ),
        ],
    )


def _ranking(
    title: str,
    unit: str,
    numbers: Sequence[tuple[str, int]],
    url: str,
    totals: dict[str, str] | None = None,
) -> list[Chart]:
    if not numbers:
        return []
    titles = [course for course, _number in numbers]
    series = {unit: [number for _course, number in numbers]}
    return [Chart(title, "bar", titles, series, url, totals)]


def people(request: HttpRequest) -> Panel | None:
    if not may_see(request, "people.User"):
        return None
    numbers = kept("people")
    joined, seen = per_day(numbers["joined"]), per_day(numbers["seen"])
    days = last_days()
    recent = list_url("people.User", f"?date_joined_from={days[0]}&date_joined_to={days[-1]}")
    soon_blocked = ngettext_lazy(
        "%(number)d account will be blocked for inactivity this week.",
        "%(number)d accounts will be blocked for inactivity this week.",
        "number",
    )
    of_the_demo = ngettext_lazy(
        "%(number)d account of the demo school is still here. Its password is known to everybody.",
        "%(number)d accounts of the demo school are still here. Their password is known to everybody.",
        "number",
    )
    sharing = ngettext_lazy(
        "%(number)d account may have the same mailbox as another one.",
        "%(number)d accounts may have the same mailboxes as others.",
        "number",
    )
    here = 0 if settings.DEBUG else User.objects.of_the_demo().count()
    of_the_demo_url = list_url("people.User", f"?q={quote(DEMO_DOMAIN)}")
    return Panel(
        title=_("People"),
        attention=[
            *_if_any(here, of_the_demo, of_the_demo_url, "key_off", is_danger=True),
            *_if_any(spelled_for_servers(), sharing, list_url("people.User", "?q=xn--"), "group"),
            *_if_any(
                User.objects.soon_blocked_count(),
                soon_blocked,
                list_url("people.User", "?soon_blocked=1"),
                "hourglass_bottom",
            ),
        ],
        figures=[
            Figure(_("Active people"), numbers["active"], list_url("people.User", "?state=active")),
            Figure(_("New in 30 days"), sum(joined), recent),
            Figure(
                _("Blocked people"), numbers["blocked"], list_url("people.User", "?state=blocked")
            ),
        ],
        charts=[
            Chart(
                _("New and active people per day"),
                "line",
                day_labels(),
                {_("New"): joined, _("Last seen"): seen},
                recent,
            )
        ],
    )


def background(request: HttpRequest) -> Panel | None:
    """For administrators: is anybody working, and did anything fail?"""
    if not request.user.is_superuser:
        return None
    attention = []
    last = queue.last_execution()
    if last is None or timezone.now() - last > queue.SILENCE_LIMIT:
        text = _("No background worker is running, so emails and other tasks are waiting.")
        attention.append(Attention(text, list_url("django_q.OrmQ"), "engineering", is_danger=True))
    failed = ngettext_lazy("%(number)d task failed.", "%(number)d tasks failed.", "number")
    url = list_url("django_q.Failure")
    attention += _if_any(queue.failed_count(), failed, url, "error", is_danger=True)
    return Panel(title=_("Background work"), attention=attention)


def mails(request: HttpRequest) -> Panel | None:
    """For administrators: does the mail get through?"""
    if not request.user.is_superuser:
        return None
    attention = []
    if since := MailServer.objects.values_list("failing_since", flat=True).first():
        text = _("The mail server has not responded for %(time)s, so emails are waiting.")
        url = list_url("mail.Delivery", "?outcome=waiting")
        attention.append(Attention(text % {"time": timesince(since)}, url, "cloud_off"))
    failed = ngettext_lazy(
        "%(number)d email could not be delivered in the last seven days.",
        "%(number)d emails could not be delivered in the last seven days.",
        "number",
    )
    url = list_url("mail.Delivery", "?outcome=failed_lately")
    attention += _if_any(
        Delivery.objects.failed_lately().count(), failed, url, "unsubscribe", is_danger=True
    )
    unsure = ngettext_lazy(
        "%(number)d email may have been sent: the mail server did not confirm it.",
        "%(number)d emails may have been sent: the mail server did not confirm it.",
        "number",
    )
    url = list_url("mail.Delivery", "?outcome=perhaps")
    attention += _if_any(Delivery.objects.perhaps_sent().count(), unsure, url, "contact_support")
    parked = ngettext_lazy(
        "%(number)d mailing was abandoned: its recipients could not be listed.",
        "%(number)d mailings were abandoned: their recipients could not be listed.",
        "number",
    )
    url = list_url("mail.Mailing", "?attention=parked")
    attention += _if_any(Mailing.objects.parked().count(), parked, url, "campaign", is_danger=True)
    return Panel(title=_("Mail"), attention=attention)
