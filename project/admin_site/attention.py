"""What needs attention: each kind for those who can do something about it, who are named in SOURCES."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.conf import settings
from django.db.models import Count, Min, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.timesince import timesince
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext_lazy, pgettext

from payments import permissions as money
from payments.models import Dispute, Finding, FindingKind, Payment
from payments.models.ledger import present_month
from payments.statistics import first_to_close
from people.current_user import current_user
from people.models import User
from people.models.querysets import DEMO_DOMAIN
from people.permissions import can_change_people
from people.services.mailboxes import spelled_for_servers
from project.admin_site.menu import admin_of, title_of
from project.admin_site.panels import list_url
from project.admin_site.widgets import Act, Attention
from project.common.background import queue
from project.mail.models import Delivery, Mailing, MailServer

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

# What a list does with all that it shows is offered for so many rows: its question names each of them.
ASKED_AT_ONCE = 100


def attention_of(request: HttpRequest) -> list[Attention]:
    """Danger first, the rest in the order of SOURCES."""
    user = current_user(request)
    found = [entry for allows, _label, source in SOURCES if allows(user) for entry in source()]
    return sorted(found, key=lambda entry: not entry.is_danger)


def looked_at(request: HttpRequest) -> list[str]:
    """Among what of this person's something would be told, if there were anything."""
    user = current_user(request)
    labels = dict.fromkeys(label for allows, label, _source in SOURCES if allows(user))
    return [str(title_of(admin_of(label))) for label in labels]


def _disputes() -> Iterator[Attention]:
    """Those that are lost unless somebody answers in time."""
    waiting = Dispute.objects.to_answer()
    known = waiting.aggregate(number=Count("pk"), deadline=Min("evidence_due_by"))
    text = ngettext_lazy(
        "%(number)d dispute needs an answer.", "%(number)d disputes need an answer.", "number"
    )
    if not known["number"]:
        return
    said = text % known
    if known["deadline"]:
        deadline = date_format(localtime(known["deadline"]), "DATETIME_FORMAT")
        said = f"{said} {capfirst(_('evidence is due by %s') % deadline)}"
    disputes = admin_of("payments.Dispute")
    most_urgent = waiting.order_by("evidence_due_by", "pk").values_list("pk", flat=True)[0]
    answer = Act(_("Answer"), disputes.url("change", most_urgent))
    url = list_url("payments.Dispute", "?attention=answer")
    yield Attention(said, url, "gavel", is_danger=True, act=answer)


def _findings() -> Iterator[Attention]:
    """Money that did not reach a buyer first. What is open for too long is counted beside."""
    kinds = Finding.objects.pressing().exclude(kind=FindingKind.OPEN_TOO_LONG)
    found = {
        kind: (number, since)
        for kind, number, since in kinds.order_by()
        .values_list("kind")
        .annotate(Count("pk"), Min("first_seen_at"))
    }
    failed = FindingKind.REFUND_FAILED
    for kind in sorted(FindingKind, key=lambda kind: kind != failed):
        if kind in found:
            number, since = found[kind]
            yield Attention(
                f"{capfirst(kind.label)}: {number}",
                list_url("payments.Finding", f"?status__exact=open&kind__exact={kind}"),
                "undo" if kind == failed else "troubleshoot",
                is_danger=kind == failed,
                since=since,
            )


def _to_confirm() -> Iterator[Attention]:
    text = ngettext_lazy(
        "%(number)d payment is waiting to be confirmed.",
        "%(number)d payments are waiting to be confirmed.",
        "number",
    )
    url = list_url("payments.Payment", "?attention=confirm")
    confirm = Act(pgettext("payment", "Confirm"), url, "confirm_many")
    yield from _rows(Payment.objects.to_confirm(), "created_at", text, url, "payments", act=confirm)


def _stuck() -> Iterator[Attention]:
    text = ngettext_lazy(
        "%(number)d payment has been open for too long.",
        "%(number)d payments have been open for too long.",
        "number",
    )
    url = list_url("payments.Payment", "?attention=stuck")
    yield from _rows(Payment.objects.open_too_long(), "created_at", text, url, "hourglass_top")


def _without_access() -> Iterator[Attention]:
    text = ngettext_lazy(
        "%(number)d purchase of the last week gave no access.",
        "%(number)d purchases of the last week gave no access.",
        "number",
    )
    url = list_url("payments.Payment", "?attention=no_access")
    rows = Payment.objects.lately_without_access()
    yield from _rows(rows, "paid_at", text, url, "key_off", is_danger=True)


def _months() -> Iterator[Attention]:
    """The first that is over and open."""
    month = first_to_close()
    if month and month < present_month():
        url, close = (
            reverse(f"admin:payments_closedmonth_{page}", args=[month.year, month.month])
            for page in ("month", "close")
        )
        text = _("%s is not closed yet.") % date_format(month, "F Y")
        yield Attention(text, url, "account_balance", act=Act(_("Close the month"), close))


def _unconfirmed() -> Iterator[Attention]:
    text = ngettext_lazy(
        "%(number)d new person has not confirmed the email address.",
        "%(number)d new people have not confirmed their email addresses.",
        "number",
    )
    url = list_url("people.User", "?mail=unconfirmed")
    rows = User.objects.lately_unconfirmed()
    yield from _rows(rows, "date_joined", text, url, "mark_email_unread")


def _unreached() -> Iterator[Attention]:
    text = ngettext_lazy(
        "Emails to %(number)d person failed in the last seven days.",
        "Emails to %(number)d people failed in the last seven days.",
        "number",
    )
    url = list_url("people.User", "?mail=failed")
    people = Delivery.objects.failed_lately().order_by().values("recipient").distinct()
    yield from _number(people.count(), text, url, "unsubscribe")


def _accounts() -> Iterator[Attention]:
    people = list_url("people.User")
    of_the_demo = ngettext_lazy(
        "%(number)d account of the demo school is still here. Its password is known to everybody.",
        "%(number)d accounts of the demo school are still here. Their password is known to everybody.",
        "number",
    )
    here = 0 if settings.DEBUG else User.objects.of_the_demo().count()
    url = f"{people}?q={quote(DEMO_DOMAIN)}"
    yield from _number(here, of_the_demo, url, "key_off", is_danger=True)
    sharing = ngettext_lazy(
        "%(number)d account may have the same mailbox as another one.",
        "%(number)d accounts may have the same mailboxes as others.",
        "number",
    )
    yield from _number(spelled_for_servers(), sharing, f"{people}?q=xn--", "group")
    soon_blocked = ngettext_lazy(
        "%(number)d account will be blocked for inactivity this week.",
        "%(number)d accounts will be blocked for inactivity this week.",
        "number",
    )
    number = User.objects.soon_blocked_count()
    yield from _number(number, soon_blocked, f"{people}?soon_blocked=1", "hourglass_bottom")


def _background() -> Iterator[Attention]:
    """Is anybody working, and did anything fail?"""
    last = queue.last_execution()
    if last is None or timezone.now() - last > queue.SILENCE_LIMIT:
        text = _("No background worker is running, so emails and other tasks are waiting.")
        yield Attention(text, list_url("django_q.OrmQ"), "engineering", is_danger=True)
    failed = ngettext_lazy("%(number)d task failed.", "%(number)d tasks failed.", "number")
    url = list_url("django_q.Failure")
    again = Act(_("Try again"), url, "try_again_many")
    yield from _rows(queue.failed(), "stopped", failed, url, "error", is_danger=True, act=again)


def _mails() -> Iterator[Attention]:
    """Does the mail get through?"""
    if since := MailServer.objects.values_list("failing_since", flat=True).first():
        text = _("The mail server has not responded for %(time)s, so emails are waiting.")
        url = admin_of("mail.MailServer").url("change", 1)
        yield Attention(text % {"time": timesince(since)}, url, "cloud_off")
    failed = ngettext_lazy(
        "%(number)d email could not be delivered in the last seven days.",
        "%(number)d emails could not be delivered in the last seven days.",
        "number",
    )
    url = list_url("mail.Delivery", "?outcome=failed_lately")
    number = Delivery.objects.failed_lately().count()
    yield from _number(number, failed, url, "unsubscribe", is_danger=True)
    unsure = ngettext_lazy(
        "%(number)d email may have been sent: the mail server did not confirm it.",
        "%(number)d emails may have been sent: the mail server did not confirm it.",
        "number",
    )
    url = list_url("mail.Delivery", "?outcome=perhaps")
    yield from _number(Delivery.objects.perhaps_sent().count(), unsure, url, "contact_support")
    parked = ngettext_lazy(
        "%(number)d mailing was abandoned: its recipients could not be listed.",
        "%(number)d mailings were abandoned: their recipients could not be listed.",
        "number",
    )
    url = list_url("mail.Mailing", "?attention=parked")
    number = Mailing.objects.parked().count()
    yield from _number(number, parked, url, "campaign", is_danger=True)


def _number(
    number: int, text: "StrPromise", url: str, icon: str, **more: Any
) -> Iterator[Attention]:
    if number:
        yield Attention(text % {"number": number}, url, icon, **more)


def _rows(
    rows: "QuerySet[Any]",
    since: str,
    text: "StrPromise",
    url: str,
    icon: str,
    *,
    act: Act | None = None,
    is_danger: bool = False,
) -> Iterator[Attention]:
    """How many they are, since when the oldest one waits, and what can be done with all of them."""
    known = rows.aggregate(number=Count("pk"), since=Min(since))
    if known["number"]:
        act = act if known["number"] <= ASKED_AT_ONCE else None
        yield Attention(text % known, url, icon, is_danger, act, known["since"])


def _is_administrator(user: User) -> bool:
    return user.is_superuser


# The right that each needs, what it looks at, and in which order they are told.
SOURCES: tuple[tuple[Callable[[User], bool], str, Callable[[], Iterator[Attention]]], ...] = (
    (money.can_settle, "payments.Dispute", _disputes),
    (money.can_settle, "payments.Finding", _findings),
    (money.can_confirm, "payments.Payment", _to_confirm),
    (money.can_see_payments, "lms.Access", _without_access),
    (money.can_see_payments, "payments.Payment", _stuck),
    (money.can_close, "payments.ClosedMonth", _months),
    (can_change_people, "people.User", _unreached),
    (can_change_people, "people.User", _unconfirmed),
    (can_change_people, "people.User", _accounts),
    (_is_administrator, "django_q.Failure", _background),
    (_is_administrator, "mail.Delivery", _mails),
)
