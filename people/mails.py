"""Mails to one person about their account, each in their language, as text and HTML.

Links are made when the mail is sent, so that no token lies in the outbox.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar
from urllib.parse import unquote

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from people.models import (
    BlockNotice,
    BlockReason,
    Invitation,
    PersonalExport,
    StaffMessage,
    User,
)
from people.models.roles import title_of
from people.one_time_links import (
    email_change_link,
    email_link,
    invitation_link,
    password_reset_link,
    reactivation_link,
)
from project.mail.kinds import Letter, MailKind, Secret, Skip, mail_kinds, render
from project.school.current import current_school

# Their key is the number of the notice.
BLOCKED = "account_blocked"
UNBLOCKED = "account_unblocked"
# That of the message.
MESSAGE = "staff_message"


class AccountMail(MailKind):
    """A mail that somebody asked for and waits for."""

    urgent = True
    greets_by_name: ClassVar[bool] = True

    def write(self, subject_id: int | None, people: Iterable[User]) -> Mapping[int, Letter | Skip]:
        return {person.pk: self.letter_to(person) for person in people}

    def letter_to(self, person: User) -> Letter | Skip:
        if reason := self.reason_against(person):
            return Skip(reason)
        with translation.override(person.language):
            known = {"person": person} if self.greets_by_name else {}
            context = known | self.context(person)
        return render(self.name, person.language, context)

    def reason_against(self, person: User) -> str:
        """Why the person gets the mail no more; empty if they do."""
        return gettext_noop("erased") if person.blocked_reason == BlockReason.ERASED else ""

    def context(self, person: User) -> dict[str, object]:
        """What the template needs besides the person."""
        return {}


class UnprovenMail(AccountMail):
    """A mail that may go to an address of which nobody knows whose it is. Its texts have no word that
    a person typed: anybody can have it sent to anybody."""

    reaches_unconfirmed = True
    greets_by_name = False


class EmailConfirmationMail(UnprovenMail):
    """The link by which the owner of the mailbox says that the account is theirs."""

    label = _("email confirmation")
    asked_for = True
    name = "email_confirmation"
    counts_as = "confirmation"

    def reason_against(self, person: User) -> str:
        confirmed = gettext_noop("confirmed meanwhile") if person.is_email_confirmed else ""
        return super().reason_against(person) or confirmed

    def context(self, person: User) -> dict[str, object]:
        return {"link": Secret(email_link(person)), "lifetime": _lifetime_of_links()}


class EmailChangeMail(UnprovenMail):
    """The link that makes the address it is sent to the one of the account."""

    label = _("change of email")
    name = "email_change"
    counts_as = "confirmation"

    def reason_against(self, person: User) -> str:
        other = gettext_noop("another address was asked for meanwhile")
        return super().reason_against(person) or (other if person.email != person.new_email else "")

    def context(self, person: User) -> dict[str, object]:
        return {"link": Secret(email_change_link(person)), "lifetime": _lifetime_of_links()}


class EmailChangeNoticeMail(UnprovenMail):
    """Tells the address that was confirmed before that another one takes its place. It does not say
    which: the former may have been somebody else's by mistake."""

    label = _("notice of a change of email")
    name = "email_change_notice"

    def context(self, person: User) -> dict[str, object]:
        is_done = not person.new_email
        return {"is_done": is_done, "link": current_school().mail_link if is_done else ""}


class PasswordResetMail(UnprovenMail):
    """The link for a new password; whoever gets this mail may use it once."""

    label = _("password reset")
    asked_for = True
    name = "password_reset"
    counts_as = "reset"

    def context(self, person: User) -> dict[str, object]:
        return {"link": Secret(password_reset_link(person)), "lifetime": _lifetime_of_links()}


class InvitationMail(AccountMail):
    """The link by which somebody comes into an account that staff made for them."""

    label = _("invitation")
    reaches_unconfirmed = True
    counts_as = "invitation"
    is_by_staff = True
    name = "invitation"

    def reason_against(self, person: User) -> str:
        return "" if person.is_awaited else gettext_noop("accepted or withdrawn")

    def context(self, person: User) -> dict[str, object]:
        invitation: Invitation = person.invitation
        return {
            "link": Secret(invitation_link(invitation)),
            "by": invitation.invited_by,
            "roles": [title_of(role) for role in invitation.roles.order_by("pk")],
            "expires_at": invitation.expires_at,
        }


class ReactivationMail(AccountMail):
    """The link that lifts a block for inactivity."""

    label = _("reactivation")
    asked_for = True
    counts_as = "reactivation"
    name = "reactivation"

    def reason_against(self, person: User) -> str:
        blocked = not person.is_active and person.blocked_reason == BlockReason.INACTIVITY
        return "" if blocked else gettext_noop("not blocked for inactivity")

    def context(self, person: User) -> dict[str, object]:
        return {"link": Secret(reactivation_link(person)), "lifetime": _lifetime_of_links()}


class DataExportMail(AccountMail):
    """The link to all that is kept of the person; it needs no log-in, and is good until the file goes."""

    label = _("personal data")
    name = "data_export"

    def reason_against(self, person: User) -> str:
        is_ready = PersonalExport.objects.ready().filter(user=person).exists()
        return "" if is_ready else gettext_noop("no longer there")

    def context(self, person: User) -> dict[str, object]:
        export = PersonalExport.objects.get(user=person)
        return {"link": Secret(export_url(export))}


class SecondFactorResetMail(AccountMail):
    """An administrator, or an operator, took the device away that the person had lost."""

    label = _("two-step verification reset")
    name = "second_factor_reset"

    def context(self, person: User) -> dict[str, object]:
        return {"link": settings.SITE_URL + reverse("admin:login")}


class InactivityWarningMail(AccountMail):
    """A week before the sweep would block the account."""

    urgent = False
    label = _("inactivity warning")
    name = "inactivity_warning"

    def reason_against(self, person: User) -> str:
        if not person.is_active:
            return gettext_noop("blocked")
        if person.kept_at:
            return gettext_noop("the account is kept")
        return "" if person.is_warned and not person.is_superuser else gettext_noop("came back")

    def context(self, person: User) -> dict[str, object]:
        return {"blocked_on": person.blocked_on}


class BlockNoticeMail(MailKind):
    """What staff did with an account, if they want its person to know why."""

    urgent = True

    def write(self, subject_id: int | None, people: Iterable[User]) -> Mapping[int, Letter | Skip]:
        notices = BlockNotice.objects.select_related("person")
        notice = notices.filter(pk=subject_id or 0).first()
        return {person.pk: self.letter_about(notice, person) for person in people}

    def letter_about(self, notice: BlockNotice | None, person: User) -> Letter | Skip:
        if notice is None or person.blocked_reason == BlockReason.ERASED:
            return Skip(gettext_noop("erased"))
        later = BlockNotice.objects.filter(person=person, pk__gt=notice.pk)
        if later.exists() or not notice.is_true:
            return Skip(gettext_noop("blocked or unblocked again"))
        context = {"person": person, "reason": notice.reason, "link": self.link()}
        return render(self.name, person.language, context)

    def link(self) -> str:
        """Where the button leads; empty: to the school's site."""
        return ""


class AccountBlockedMail(BlockNoticeMail):
    """The one mail about somebody's account that is for who is blocked."""

    name = BLOCKED
    label = _("account blocked")

    def link(self) -> str:
        """Who can't log in can write."""
        return current_school().mail_link


class AccountUnblockedMail(BlockNoticeMail):
    name = UNBLOCKED
    label = _("account unblocked")


class StaffMessageMail(MailKind):
    """What one of the staff wrote to a person, who answers to the school."""

    name = MESSAGE
    label = _("message from staff")
    urgent = True

    def write(self, subject_id: int | None, people: Iterable[User]) -> Mapping[int, Letter | Skip]:
        messages = StaffMessage.objects.select_related("sender")
        message = messages.filter(pk=subject_id or 0).first()
        return {person.pk: self.letter_about(message, person) for person in people}

    def letter_about(self, message: StaffMessage | None, person: User) -> Letter | Skip:
        if message is None or person.blocked_reason == BlockReason.ERASED:
            return Skip(gettext_noop("erased"))
        return letter_of(message, person)


def letter_of(message: StaffMessage, person: User) -> Letter:
    """How a message looks; it need not be sent yet."""
    school = current_school()
    context = {
        "person": person,
        "message": message,
        "author": message.sender.first_name if message.sender else "",
        "link": school.mail_link,
    }
    return replace(render(MESSAGE, person.language, context), reply_to=school.email)


def own_kinds() -> list[str]:
    """The names of the kinds that are about accounts, and tell nothing of courses and money."""
    kinds = mail_kinds().items()
    return [name for name, kind in kinds if type(kind).__module__ == __name__ and name != MESSAGE]


def export_url(export: PersonalExport) -> str:
    """The address of the file for whoever got the mail: signed, as the key lies in the database."""
    token = _export_signer().sign(export.pk.hex)
    return f"{settings.SITE_URL}{unquote(reverse('export', args=[token]))}"


def export_of(token: str) -> PersonalExport | None:
    """The export that a link leads to, while its file is there."""
    try:
        key = _export_signer().unsign(token)
    except BadSignature:
        return None
    return PersonalExport.objects.ready().select_related("user").filter(pk=key).first()


def _export_signer() -> Signer:
    return Signer(salt="people.exports")


def _lifetime_of_links() -> str:
    """In words, as in "3 hours"."""
    now = timezone.now()
    return timesince(now, now + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT))
