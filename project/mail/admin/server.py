"""The page of the mail server: whether it takes emails, what its words mean, and what can be done."""

from typing import Any, override

from django import forms
from django.contrib import admin
from django.core.mail import mailers
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminEmailInputWidget

from project.common.admin.actions import ActionsAdmin, Facts, StaffAction
from project.common.admin.base import AdministratorsAdmin, Label, OnlyRowAdmin, moment_shown
from project.common.admin.heads import Badge, Head, HeadedAdmin, HeadFact, folded
from project.common.mailboxes import canonical
from project.mail.meanings import meaning_of_failure
from project.mail.models import Delivery, MailServer
from project.mail.sending import mail_server
from project.mail.services import try_now
from project.mail.trials import send_trial


class AddressForm(forms.Form):
    address = forms.EmailField(
        label=gettext_lazy("Email"),
        required=False,
        widget=UnfoldAdminEmailInputWidget(attrs={"autofocus": True}),
        help_text=gettext_lazy("Empty: your own."),
    )


SEND_TEST = StaffAction[MailServer](
    name="send_test",
    title=gettext_lazy("Send a test email"),
    icon="outgoing_mail",
    explanation=gettext_lazy(
        "An email is sent at once, and you see what the mail server says. This takes a few "
        "seconds if it does not answer."
    ),
    allows=lambda user: user.is_superuser,
    form=AddressForm,
    run=lambda _server, by, answers: send_trial(by, canonical(answers["address"]) or by.email),
)
TRY_NOW = StaffAction[MailServer](
    name="try_now",
    title=gettext_lazy("Try now"),
    icon="forward_to_inbox",
    explanation=gettext_lazy(
        "The emails that wait are offered to the mail server at once, and not only at the next try."
    ),
    allows=lambda user: user.is_superuser,
    fits=lambda server: server.failing_since is not None,
    run=lambda _server, _by, _answers: try_now(),
    done=gettext_lazy("The mail server is being tried. Open this page again in a moment."),
)
COLOURS = {"answers": "success", "fails": "danger", "untried": "default"}


@admin.register(MailServer)
class MailServerAdmin(
    OnlyRowAdmin[MailServer],
    HeadedAdmin[MailServer],
    AdministratorsAdmin[MailServer],
    ActionsAdmin[MailServer],
):
    fieldsets = (folded("failures"),)
    staff_actions = (SEND_TEST, TRY_NOW)

    @override
    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> MailServer | None:
        mail_server()
        return super().get_object(request, object_id, from_field)

    def head_of(self, request: HttpRequest, row: MailServer) -> Head:
        waiting = reverse("admin:mail_delivery_changelist", query={"outcome": "waiting"})
        number = Delivery.objects.waiting().count()
        facts = [
            HeadFact(_("Emails waiting"), str(number), waiting if number else ""),
            HeadFact(_("Last took an email"), moment_shown(row.answered_at)),
            HeadFact(_("Address"), _address()),
        ]
        if row.failing_since:
            facts = [
                HeadFact(_("Failing since"), moment_shown(row.failing_since)),
                HeadFact(_("Next try"), moment_shown(row.retry_at)),
                *facts,
                HeadFact(_("Words of the mail server"), row.error),
            ]
        said = meaning_of_failure(row.error) if row.failing_since else ()
        state = self.state(row)
        return Head(self.label_of(row), [Badge(state.text, COLOURS[state.key])], facts, said)

    def state(self, server: MailServer) -> Label:
        if server.failing_since:
            return Label("fails", _("does not take emails"))
        if server.answered_at:
            return Label("answers", _("takes emails"))
        return Label("untried", _("not tried yet"))

    def state_of(self, row: MailServer) -> frozenset[str]:
        """Whatever it was, a test says how it is now."""
        return frozenset()

    def label_of(self, row: MailServer) -> str:
        return capfirst(str(self.opts.verbose_name))

    def facts_of(self, row: MailServer) -> Facts:
        return [(_("State"), str(self.state(row)))]


def _address() -> str:
    backend: Any = mailers.default
    if isinstance(backend, SMTPBackend):
        return f"{backend.host}:{backend.port}"
    return _("Emails don't go to a mail server here: see EMAIL_URL.")
