"""Mails to each person: what became of them and when, what the mail server said, and a look at them."""

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from project.common.admin.actions import ActionsAdmin, Facts, StaffAction
from project.common.admin.base import AdministratorsAdmin, Label, column, display, moment_shown
from project.common.admin.heads import Badge, Head, HeadedAdmin, HeadFact, fact_about, folded
from project.common.db.search import Owners, find
from project.mail import services
from project.mail.admin.filters import MailingFilter, OutcomeFilter
from project.mail.admin.letters import look_at
from project.mail.meanings import meaning_of_answer
from project.mail.models import FAILED, Delivery, DeliveryStatus

COLOURS = {
    DeliveryStatus.WAITING.value: "info",
    DeliveryStatus.SENT.value: "success",
    DeliveryStatus.REFUSED.value: "danger",
    DeliveryStatus.SKIPPED.value: "default",
    DeliveryStatus.PARKED.value: "danger",
    DeliveryStatus.PERHAPS.value: "warning",
}

EXPLANATION = gettext_lazy("Emails that failed will be sent again. Nobody else will receive one.")
NUMBER = ngettext_lazy(
    "%(number)d email will be sent again.", "%(number)d emails will be sent again.", "number"
)


def _send_again(delivery: Delivery, _by: object, _answers: object) -> None:
    services.try_again(Delivery.objects.filter(pk=delivery.pk))


TRY_AGAIN = StaffAction[Delivery](
    name="try_again",
    title=gettext_lazy("Try again"),
    icon="replay",
    explanation=EXPLANATION,
    allows=lambda user: user.is_superuser,
    fits=lambda delivery: delivery.status in FAILED,
    run=_send_again,
    done=NUMBER,
    on_list=True,
    asks_on_list=False,
)
SEND_AGAIN = StaffAction[Delivery](
    name="send_again",
    title=gettext_lazy("Send again"),
    icon="forward_to_inbox",
    explanation=gettext_lazy(
        "The mail server was given the email but did not confirm that it took it. The recipient "
        "may receive it twice."
    ),
    allows=lambda user: user.is_superuser,
    fits=lambda delivery: delivery.status == DeliveryStatus.PERHAPS,
    run=_send_again,
    done=NUMBER,
    on_list=True,
)
TAKE_AS_SENT = StaffAction[Delivery](
    name="take_as_sent",
    title=gettext_lazy("Mark as sent"),
    icon="mark_email_read",
    explanation=gettext_lazy(
        "The mail server was given the email but did not confirm that it took it. It will count "
        "as sent and will not be sent again."
    ),
    allows=lambda user: user.is_superuser,
    fits=lambda delivery: delivery.status == DeliveryStatus.PERHAPS,
    run=lambda delivery, _by, _answers: services.take_as_sent(
        Delivery.objects.filter(pk=delivery.pk)
    ),
    done=ngettext_lazy(
        "%(number)d email counts as sent now.", "%(number)d emails count as sent now.", "number"
    ),
    on_list=True,
)


@admin.register(Delivery)
class DeliveryAdmin(HeadedAdmin[Delivery], AdministratorsAdmin[Delivery], ActionsAdmin[Delivery]):
    list_display = ("address", "outcome", "mailing", "asked_at", "settled", "meaning")
    list_filter = (OutcomeFilter, MailingFilter)
    empty_text = gettext_lazy("What became of each email will appear here, recipient by recipient.")
    found_with = ("mailing", "recipient")
    search_fields = ("recipient",)  # opens the search box; `found` searches
    search_help_text = gettext_lazy("Recipient's name or email")
    ordering = ("-id",)
    sortable_by = ()
    fieldsets = (
        (None, {"fields": ("letter_shown",)}),
        folded("attempts", "refusals", "unanswered"),
    )
    staff_actions = (TRY_AGAIN, SEND_AGAIN, TAKE_AS_SENT)

    address = column("address", gettext_lazy("email"))
    asked_at = column("mailing.created_at", gettext_lazy("asked for"))

    def with_shown(self, rows: QuerySet[Delivery], request: HttpRequest) -> QuerySet[Delivery]:
        return rows.select_related("recipient", "mailing")

    def head_of(self, request: HttpRequest, row: Delivery) -> Head:
        facts = [
            fact_about(request, _("Mailing"), row.mailing),
            fact_about(request, _("Recipient"), row.recipient),
            HeadFact(_("Asked for"), moment_shown(row.mailing.created_at)),
            HeadFact(*self._settled(row)),
        ]
        if row.reason:
            facts.append(HeadFact(_("Reason"), row.reason))
        outcome = self.outcome(row)
        badge = Badge(outcome.text, COLOURS[outcome.key])
        return Head(row.address, [badge], facts, meaning_of_answer(row.reason) or ())

    def _settled(self, delivery: Delivery) -> tuple[str, str]:
        if delivery.status == DeliveryStatus.WAITING:
            return _("Next try"), moment_shown(delivery.due_at)
        is_sent = delivery.status == DeliveryStatus.SENT
        return _("Sent") if is_sent else _("Ended"), moment_shown(delivery.finished_at)

    @display(description=gettext_lazy("the email"))
    def letter_shown(self, delivery: Delivery) -> str:
        return look_at(delivery)

    def found(self, rows: QuerySet[Delivery], text: str) -> QuerySet[Delivery]:
        people = get_user_model().objects.named_like(text)
        return find(rows, of=Owners("recipient", people))

    @display(description=gettext_lazy("outcome"), label=COLOURS)
    def outcome(self, delivery: Delivery) -> Label:
        if delivery.status == DeliveryStatus.PERHAPS:
            return Label(delivery.status, _("perhaps sent"))
        return Label(delivery.status, delivery.get_status_display())

    @display(description=gettext_lazy("sent or ended"))
    def settled(self, delivery: Delivery) -> str:
        if delivery.status == DeliveryStatus.WAITING:
            return _("next try: %(when)s") % {"when": moment_shown(delivery.due_at)}
        return moment_shown(delivery.finished_at)

    @display(description=gettext_lazy("what it means"))
    def meaning(self, delivery: Delivery) -> str:
        meaning = meaning_of_answer(delivery.reason)
        return str(meaning.says) if meaning else delivery.reason or "—"

    def told_apart(self, request: HttpRequest, row: Delivery) -> list[str]:
        return [row.get_status_display()]

    def label_of(self, row: Delivery) -> str:
        return f"{row.mailing}, {row.recipient.email}"

    def facts_of(self, row: Delivery) -> Facts:
        return [
            (_("Recipient"), row.recipient.email),
            (_("Mailing"), str(row.mailing)),
            (_("Reason"), row.reason or "—"),
        ]
