"""Whether the person whom an act of the staff is about reads why: a box in the form that asks for the
reason (docs/rules.md, 10.13)."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldBooleanSwitchWidget

from project.common.admin.forms import RowsForm, reason_field
from project.mail.kinds import mail_kind
from project.mail.refusals import reason_against, refusals_of

if TYPE_CHECKING:
    from people.models import User


def unreached(kind: str, people: "Iterable[User]") -> list[str]:
    """Say whose address gets no such mail, and why."""
    people = list(people)
    said = refusals_of(people)
    reasons = {one.email: reason_against(mail_kind(kind), one, said.get(one.pk)) for one in people}
    return [
        _("No email will go to %(address)s: %(reason)s.")
        % {"address": address, "reason": _(reason)}
        for address, reason in reasons.items()
        if reason
    ]


class TellForm(RowsForm):
    """The person gets a mail of this kind, with the reason, if staff want it, and none otherwise."""

    kind: ClassVar[str]

    reason = reason_field(
        max_length=200,
        help_text=gettext_lazy("Recorded with the action. The person reads it if you tell them."),
    )
    tell = forms.BooleanField(
        label=gettext_lazy("Tell the person"),
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget,
        help_text=gettext_lazy("They will get an email with the reason in your words."),
    )

    def person_of(self, row: Any) -> "User":
        """Whom the row is about."""
        raise NotImplementedError(row)

    def fit_to(self, rows: Sequence[Any]) -> None:
        """Say who will get no mail. What staff do to each other they often tell themselves."""
        people = [self.person_of(row) for row in rows]
        unreached = self.unreached(people)
        tell = self.fields["tell"]
        if any(person.is_staff for person in people):
            tell.initial = False
        said = [str(tell.help_text), *unreached]
        if len(unreached) >= len(people):
            tell.disabled, tell.initial, said = True, False, unreached
        tell.help_text = " ".join(said)

    def unreached(self, people: "Iterable[User]") -> list[str]:
        return unreached(self.kind, people)


class TellReasonForm(TellForm):
    """The person gets a mail of this kind anyway, with the reason if staff want it."""

    tell = forms.BooleanField(
        label=gettext_lazy("Tell the person why"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=gettext_lazy(
            "They will get an email anyway, and read the reason in it only if this is on."
        ),
    )

    def unreached(self, people: "Iterable[User]") -> list[str]:
        """To an address that is not confirmed go receipts, without what people wrote."""
        people = list(people)
        without = [
            _("The email to %(address)s will not have the reason: the address is not confirmed.")
            % {"address": person.email}
            for person in people
            if mail_kind(self.kind).reaches_unconfirmed and not person.is_email_confirmed
        ]
        return [*super().unreached(people), *without]
