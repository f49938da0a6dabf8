"""The list of mailings, and how far each of them came."""

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from project.common.admin.actions import ActionsAdmin, Facts, StaffAction
from project.common.admin.base import Label, display
from project.common.admin.filters import DaysFilter
from project.common.db.search import contains, find
from project.mail import services
from project.mail.admin.deliveries import EXPLANATION
from project.mail.admin.filters import KindFilter, TroubleFilter
from project.mail.admin.letters import LettersAdmin, shown_letter
from project.mail.kinds import label_of
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


def _number(mailing: Mailing, *statuses: DeliveryStatus) -> int:
    """Of MailingQuerySet.counted."""
    return sum(getattr(mailing, f"{status}_count") for status in statuses)


def _linked(mailing: Mailing, outcome: str, number: int) -> str:
    """The number, with a way to these deliveries."""
    if not number:
        return "0"
    address = f"{reverse('admin:mail_delivery_changelist')}?mailing={mailing.pk}"
    if outcome:
        address += f"&outcome={outcome}"
    return format_html(
        '<a href="{}" class="text-primary-600 hover:underline">{}</a>', address, number
    )


def count_column(
    description: "StrOrPromise", outcome: str, *statuses: DeliveryStatus
) -> Callable[..., str]:
    """Show how many deliveries have these statuses; `outcome` names them in the list's filter."""

    @display(description=description)
    def shown(_admin: object, mailing: Mailing) -> str:
        return _linked(mailing, outcome, _number(mailing, *statuses))

    return shown


@admin.register(Mailing)
class MailingAdmin(LettersAdmin, ActionsAdmin[Mailing]):
    list_display = ("__str__", "progress", "sent", "waiting", "failed", "created_at")
    list_filter = (KindFilter, TroubleFilter, ("created_at", DaysFilter))
    empty_text = gettext_lazy(
        "Each email that is sent will appear here, whether to one person or to many."
    )
    search_fields = ("title",)  # opens the search box; `found` searches
    search_help_text = gettext_lazy("Subject, for example a course title")
    ordering = ("-id",)
    sortable_by = ()
    fields = (
        "kind_label",
        "title",
        "progress",
        ("recipients", "sent", "waiting"),
        ("postponed", "skipped", "failed"),
        "perhaps",
        "created_at",
        "letters_shown",
    )
    staff_actions = (TRY_AGAIN,)

    recipients = count_column(gettext_lazy("recipients"), "", *DeliveryStatus)
    sent = count_column(gettext_lazy("sent"), "sent", DeliveryStatus.SENT)
    waiting = count_column(gettext_lazy("waiting"), "waiting", DeliveryStatus.WAITING)
    skipped = count_column(gettext_lazy("not sent on purpose"), "skipped", DeliveryStatus.SKIPPED)
    failed = count_column(gettext_lazy("not delivered"), "failed", *FAILED)
    perhaps = count_column(gettext_lazy("perhaps sent"), "perhaps", DeliveryStatus.PERHAPS)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Mailing]:
        mailings = cast(MailingQuerySet, super().get_queryset(request))
        # A page of its own shows one row; the list adds them to the rows that it shows.
        is_page = request.resolver_match and "object_id" in request.resolver_match.kwargs
        return mailings.counted() if is_page else mailings

    def with_shown(self, rows: QuerySet[Mailing], request: HttpRequest) -> QuerySet[Mailing]:
        return cast(MailingQuerySet, rows).counted()

    def found(self, rows: QuerySet[Mailing], text: str) -> QuerySet[Mailing]:
        return find(rows, contains(text, "searched"))

    @display(description=gettext_lazy("as it was sent"))
    def letters_shown(self, mailing: Mailing) -> str:
        """Of letters to one person each, all but the only one are on the pages of their deliveries."""
        letters = list(mailing.letters.order_by("pk")[: LETTERS + 1])
        if any(letter.recipient_id for letter in letters[1:]):
            return _("Each recipient was sent a letter of their own: see their emails.")
        shown = [(shown_letter(letter),) for letter in letters[:LETTERS]]
        return format_html_join("", '<div class="mb-8">{}</div>', shown) or "—"

    @display(description=gettext_lazy("kind"))
    def kind_label(self, mailing: Mailing) -> str:
        return label_of(mailing.kind)

    @display(
        description=gettext_lazy("state"),
        label={"parked": "danger", "failed": "warning", "going": "info", "done": "success"},
    )
    def progress(self, mailing: Mailing) -> Label:
        if mailing.state != MailingState.LISTED:
            key = "parked" if mailing.state == MailingState.PARKED else "going"
            return Label(key, mailing.get_state_display())
        if _number(mailing, DeliveryStatus.WAITING):
            return Label("going", _("being sent"))
        if _number(mailing, *FAILED):
            return Label("failed", _("done, but some failed"))
        return Label("done", _("done"))

    @display(description=gettext_lazy("of them postponed by the mail server"))
    def postponed(self, mailing: Mailing) -> str:
        number = Delivery.objects.postponed().filter(mailing=mailing).count()
        return _linked(mailing, "postponed", number)

    def facts_of(self, row: Mailing) -> Facts:
        return [
            (_("Mailing"), str(row)),
            (_("State"), str(self.progress(row))),
            (_("Not delivered"), str(_number(row, *FAILED))),
        ]
