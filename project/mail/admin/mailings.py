"""The list of mailings, and how far each of them came."""

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from django.contrib import admin
from django.db.models import Max, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from project.common.admin.actions import ActionsAdmin, Facts, StaffAction
from project.common.admin.base import Label, display, moment_shown
from project.common.admin.filters import DaysFilter
from project.common.admin.heads import Badge, Head, HeadedAdmin, HeadFact, folded
from project.common.db.search import contains, find
from project.mail import services
from project.mail.admin.deliveries import EXPLANATION
from project.mail.admin.filters import KindFilter, TroubleFilter
from project.mail.admin.letters import LettersAdmin, shown_letter
from project.mail.models import (
    FAILED,
    Delivery,
    DeliveryStatus,
    Mailing,
    MailingQuerySet,
    MailingState,
)

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


# Of one mailing: languages, and people who don't hear of their own changes.
LETTERS = 10
COLOURS = {"parked": "danger", "failed": "warning", "going": "info", "done": "success"}


def _try_again(mailing: Mailing, _by: object, _answers: object) -> str:
    told = [_("The recipients are being listed again.")] if services.list_again(mailing) else []
    number = services.try_again(mailing.deliveries.failed())
    text = ngettext(
        "%(number)d email will be sent again.", "%(number)d emails will be sent again.", number
    )
    if number or not told:
        told.append(text % {"number": number})
    return " ".join(told)


TRY_AGAIN = StaffAction[Mailing](
    name="try_again",
    title=gettext_lazy("Try again"),
    icon="replay",
    explanation=EXPLANATION,
    allows=lambda user: user.is_superuser,
    fits=lambda mailing: Mailing.objects.troubled().filter(pk=mailing.pk).exists(),
    run=_try_again,
)


# By what the filter of the deliveries calls them.
COUNTS: "dict[str, tuple[StrOrPromise, tuple[DeliveryStatus, ...]]]" = {
    "": (gettext_lazy("recipients"), tuple(DeliveryStatus)),
    "sent": (gettext_lazy("sent"), (DeliveryStatus.SENT,)),
    "waiting": (gettext_lazy("waiting"), (DeliveryStatus.WAITING,)),
    "failed": (gettext_lazy("not delivered"), FAILED),
    "perhaps": (gettext_lazy("perhaps sent"), (DeliveryStatus.PERHAPS,)),
    "skipped": (gettext_lazy("not sent on purpose"), (DeliveryStatus.SKIPPED,)),
}


def _number(mailing: Mailing, outcome: str) -> int:
    """Of MailingQuerySet.counted."""
    return sum(getattr(mailing, f"{status}_count") for status in COUNTS[outcome][1])


def _deliveries(mailing: Mailing, outcome: str) -> str:
    """Where the list shows them."""
    asked = {"mailing": mailing.pk, "outcome": outcome} if outcome else {"mailing": mailing.pk}
    return reverse("admin:mail_delivery_changelist", query=asked)


def _count_column(outcome: str) -> Callable[..., str]:
    @display(description=COUNTS[outcome][0])
    def shown(_admin: object, mailing: Mailing) -> str:
        number, address = _number(mailing, outcome), _deliveries(mailing, outcome)
        linked = format_html('<a href="{}" class="parta-link">{}</a>', address, number)
        return linked if number else "0"

    return shown


@admin.register(Mailing)
class MailingAdmin(HeadedAdmin[Mailing], LettersAdmin, ActionsAdmin[Mailing]):
    list_display = ("__str__", "progress", "created_at", "sent", "waiting", "failed")
    list_filter = (KindFilter, TroubleFilter, ("created_at", DaysFilter))
    empty_text = gettext_lazy(
        "Each email that is sent will appear here, whether to one person or to many."
    )
    search_fields = ("title",)  # opens the search box; `found` searches
    search_help_text = gettext_lazy("Subject, for example a course title")
    ordering = ("-id",)
    sortable_by = ()
    fieldsets = (
        (None, {"fields": ("letters_shown",)}),
        folded("kind", "key", "subject_id"),
    )
    staff_actions = (TRY_AGAIN,)

    sent, waiting, failed = (_count_column(outcome) for outcome in ("sent", "waiting", "failed"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Mailing]:
        mailings = cast(MailingQuerySet, super().get_queryset(request))
        # A page of its own shows one row; the list adds them to the rows that it shows.
        is_page = request.resolver_match and "object_id" in request.resolver_match.kwargs
        return mailings.counted() if is_page else mailings

    def with_shown(self, rows: QuerySet[Mailing], request: HttpRequest) -> QuerySet[Mailing]:
        return cast(MailingQuerySet, rows).counted()

    def found(self, rows: QuerySet[Mailing], text: str) -> QuerySet[Mailing]:
        return find(rows, contains(text, "searched"))

    def head_of(self, request: HttpRequest, row: Mailing) -> Head:
        facts = [
            HeadFact(label, str(number), _deliveries(row, outcome))
            for outcome, (label, _statuses) in COUNTS.items()
            if (number := _number(row, outcome))
        ]
        if postponed := Delivery.objects.postponed().filter(mailing=row).count():
            link = _deliveries(row, "postponed")
            facts.append(HeadFact(_("postponed by the mail server"), str(postponed), link))
        facts.append(HeadFact(_("Begun"), moment_shown(row.created_at)))
        if not _number(row, "waiting"):
            ended = row.deliveries.aggregate(at=Max("finished_at"))["at"]
            facts.append(HeadFact(_("Ended"), moment_shown(ended)))
        state = self.progress(row)
        return Head(str(row), [Badge(state.text, COLOURS[state.key])], facts)

    @display(description=gettext_lazy("as it was sent"))
    def letters_shown(self, mailing: Mailing) -> str:
        """Of letters to one person each, all but the only one are on the pages of their deliveries."""
        letters = list(mailing.letters.order_by("pk")[: LETTERS + 1])
        if any(letter.recipient_id for letter in letters[1:]):
            return _("Each recipient was sent a letter of their own: see their emails.")
        shown = [(shown_letter(letter),) for letter in letters[:LETTERS]]
        return format_html_join("", '<div class="mb-8">{}</div>', shown) or "—"

    @display(description=gettext_lazy("state"), label=COLOURS)
    def progress(self, mailing: Mailing) -> Label:
        if mailing.state != MailingState.LISTED:
            key = "parked" if mailing.state == MailingState.PARKED else "going"
            return Label(key, mailing.get_state_display())
        if _number(mailing, "waiting"):
            return Label("going", _("being sent"))
        if _number(mailing, "failed"):
            return Label("failed", _("done, but some failed"))
        return Label("done", _("done"))

    def facts_of(self, row: Mailing) -> Facts:
        return [
            (_("Mailing"), str(row)),
            (_("State"), str(self.progress(row))),
            (_("Not delivered"), str(_number(row, "failed"))),
        ]
