"""The list of mailings, and how far each of them came."""

from typing import cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from project.common.admin.actions import ActionsAdmin, Facts, StaffAction
from project.common.admin.base import AdministratorsAdmin, display
from project.common.admin.filters import DaysFilter
from project.common.db.search import contains, find
from project.mail import services
from project.mail.admin.deliveries import EXPLANATION
from project.mail.admin.filters import KindFilter, TroubleFilter
from project.mail.kinds import label_of
from project.mail.models import Delivery, Mailing, MailingQuerySet, MailingState

COUNTS = ("recipients", "sent", "waiting", "postponed", "skipped", "failed")


def _try_again(mailing: Mailing, _by: object, _answers: object) -> str:
    told = [_("The recipients are being listed again.")] if services.list_again(mailing) else []
    number = services.try_again(mailing.deliveries.all())
    text = ngettext("%(number)d mail is tried again.", "%(number)d mails are tried again.", number)
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


@admin.register(Mailing)
class MailingAdmin(AdministratorsAdmin[Mailing], ActionsAdmin[Mailing]):
    list_display = ("__str__", "progress", "sent", "waiting", "failed", "created_at")
    list_filter = (KindFilter, TroubleFilter, ("created_at", DaysFilter))
    search_fields = ("title",)  # opens the search box; `found` searches
    search_help_text = gettext_lazy("What it is about, as in the title of the course")
    ordering = ("-id",)
    sortable_by = ()
    fields = ("kind_label", "title", "progress_text", COUNTS[:3], COUNTS[3:], "created_at")
    readonly_fields = ("kind_label", "progress_text", *COUNTS)
    staff_actions = (TRY_AGAIN,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Mailing]:
        mailings = cast(MailingQuerySet, super().get_queryset(request))
        # A page of its own shows one row; the list adds them to the rows that it shows.
        is_page = request.resolver_match and "object_id" in request.resolver_match.kwargs
        return mailings.counted() if is_page else mailings

    def with_shown(self, rows: QuerySet[Mailing], request: HttpRequest) -> QuerySet[Mailing]:
        return cast(MailingQuerySet, rows).counted()

    def found(self, rows: QuerySet[Mailing], text: str) -> QuerySet[Mailing]:
        return find(rows, contains(text, "title"))

    @display(description=gettext_lazy("kind"))
    def kind_label(self, mailing: Mailing) -> str:
        return label_of(mailing.kind)

    # --- How far it came ----------------------------------------------------------------------

    @display(
        description=gettext_lazy("state"),
        label={"parked": "danger", "failed": "warning", "going": "info", "done": "success"},
    )
    def progress(self, mailing: Mailing) -> tuple[str, str]:
        if mailing.state != MailingState.LISTED:
            colour = "parked" if mailing.state == MailingState.PARKED else "going"
            return colour, mailing.get_state_display()
        if _count(mailing, "waiting"):
            return "going", _("being sent")
        if _count(mailing, "refused", "parked"):
            return "failed", _("done, but some failed")
        return "done", _("done")

    @display(description=gettext_lazy("state"))
    def progress_text(self, mailing: Mailing) -> str:
        _colour, text = self.progress(mailing)
        return text

    @display(description=gettext_lazy("recipients"))
    def recipients(self, mailing: Mailing) -> str:
        number = _count(mailing, "sent", "waiting", "skipped", "refused", "parked")
        return _linked(mailing, "", number)

    @display(description=gettext_lazy("sent"))
    def sent(self, mailing: Mailing) -> str:
        return _linked(mailing, "sent", _count(mailing, "sent"))

    @display(description=gettext_lazy("waiting"))
    def waiting(self, mailing: Mailing) -> str:
        return _linked(mailing, "waiting", _count(mailing, "waiting"))

    @display(description=gettext_lazy("of them postponed by the mail server"))
    def postponed(self, mailing: Mailing) -> str:
        number = Delivery.objects.postponed().filter(mailing=mailing).count()
        return _linked(mailing, "postponed", number)

    @display(description=gettext_lazy("not sent: no longer wanted"))
    def skipped(self, mailing: Mailing) -> str:
        return _linked(mailing, "skipped", _count(mailing, "skipped"))

    @display(description=gettext_lazy("not delivered"))
    def failed(self, mailing: Mailing) -> str:
        return _linked(mailing, "failed", _count(mailing, "refused", "parked"))

    # --- What staff do ------------------------------------------------------------------------

    def facts_of(self, row: Mailing) -> Facts:
        return [
            (_("Mailing"), str(row)),
            (_("State"), self.progress_text(row)),
            (_("Not delivered"), str(_count(row, "refused", "parked"))),
        ]


def _count(mailing: Mailing, *statuses: str) -> int:
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
