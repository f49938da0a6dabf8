"""What staff do with people, one or many."""

from typing import TYPE_CHECKING

from django import forms
from django.utils.translation import gettext_lazy as _

from people.models import BlockReason, User
from people.permissions import can_block, can_change_people, can_erase, can_give_rights, can_manage
from people.services import accounts, blocks, passwords, staff
from project.common.admin.actions import StaffAction, reason_field

if TYPE_CHECKING:
    from collections.abc import Callable


class ReasonForm(forms.Form):
    reason = reason_field(
        max_length=500, help_text=_("Recorded in this person's history. Only staff can see it.")
    )


def _not_erased(allows_with: "Callable[[User, User], bool]") -> "Callable[[User, User], bool]":
    """Nothing is done any more with an account that was erased."""
    return lambda user, person: (
        person.blocked_reason != BlockReason.ERASED and allows_with(user, person)
    )


BLOCK = StaffAction[User](
    name="block",
    title=_("Block"),
    icon="block",
    is_danger=True,
    explanation=_("They will be logged out immediately and can't log in until they are unblocked."),
    allows=can_change_people,
    allows_with=_not_erased(can_block),
    # Who was blocked for inactivity could open the account again by mail.
    fits=lambda person: person.is_active or person.blocked_reason == BlockReason.INACTIVITY,
    form=ReasonForm,
    run=lambda person, by, _answers: blocks.block(user=person, by=by),
    on_list=True,
)
UNBLOCK = StaffAction[User](
    name="unblock",
    title=_("Unblock"),
    icon="lock_open",
    explanation=_("They will be able to log in again."),
    allows=can_change_people,
    allows_with=_not_erased(can_block),
    fits=lambda person: not person.is_active,
    form=ReasonForm,
    run=lambda person, by, _answers: blocks.unblock(user=person, by=by),
    on_list=True,
)
PASSWORD_RESET = StaffAction[User](
    name="password_reset",
    title=_("Send password reset"),
    icon="lock_reset",
    explanation=_("They will receive an email with a link to choose a new password."),
    allows=can_change_people,
    allows_with=_not_erased(can_manage),
    run=lambda person, _by, _answers: passwords.request_password_reset(email=person.email),
    on_list=True,
)
APPOINT = StaffAction[User](
    name="appoint",
    title=_("Make moderator"),
    icon="add_moderator",
    under_more=True,
    explanation=_(
        "They will be able to see and edit all courses and lessons, here and through the API."
    ),
    allows=can_give_rights,
    allows_with=lambda _user, person: person.blocked_reason != BlockReason.ERASED,
    fits=lambda person: not person.is_moderator,
    run=lambda person, by, _answers: staff.appoint_moderator(user=person, by=by),
    on_list=True,
)
DISMISS = StaffAction[User](
    name="dismiss",
    title=_("Remove as moderator"),
    icon="remove_moderator",
    under_more=True,
    explanation=_("They will keep their account and their own courses."),
    allows=can_give_rights,
    fits=lambda person: person.is_moderator,
    run=lambda person, by, _answers: staff.dismiss_moderator(user=person, by=by),
    on_list=True,
)
ERASE = StaffAction[User](
    name="erase",
    title=_("Erase personal data"),
    icon="person_off",
    under_more=True,
    is_danger=True,
    explanation=_(
        "The name, email, phone, city and picture will be permanently erased, subscriptions will "
        "end, and nobody will be able to log in. Payments and courses will stay."
    ),
    allows=lambda user: user.has_perm("people.delete_user"),
    allows_with=_not_erased(can_erase),
    form=ReasonForm,
    run=lambda person, by, _answers: accounts.erase_account(user=person, by=by),
)

PERSON_ACTIONS = (BLOCK, UNBLOCK, PASSWORD_RESET, APPOINT, DISMISS, ERASE)
