"""The page of the mail server: whether it answers, and *Send a test email*."""

from typing import override

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminEmailInputWidget

from project.common.admin.actions import ActionsAdmin, Facts, StaffAction
from project.common.admin.base import AdministratorsAdmin, Label, OnlyRowAdmin, display
from project.common.mailboxes import canonical
from project.mail.models import MailServer
from project.mail.sending import mail_server
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


@admin.register(MailServer)
class MailServerAdmin(
    OnlyRowAdmin[MailServer], AdministratorsAdmin[MailServer], ActionsAdmin[MailServer]
):
    fields = ("state", "failing_since", "retry_at", "failures", "error")
    staff_actions = (SEND_TEST,)

    @override
    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> MailServer | None:
        mail_server()
        return super().get_object(request, object_id, from_field)

    @display(description=gettext_lazy("state"), label={"answers": "success", "fails": "danger"})
    def state(self, server: MailServer) -> Label:
        if server.failing_since:
            return Label("fails", _("does not take emails"))
        return Label("answers", _("takes emails"))

    def state_of(self, row: MailServer) -> frozenset[str]:
        """Whatever it was, a test says how it is now."""
        return frozenset()

    def label_of(self, row: MailServer) -> str:
        return str(self.opts.verbose_name)

    def facts_of(self, row: MailServer) -> Facts:
        return [(_("State"), str(self.state(row)))]
