"""What staff do with people, one or many, and with the members of a role."""

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _
from unfold.enums import ActionVariant

from people import messages
from people.admin.forms import (
    AddMembersForm,
    BlockForm,
    ErasureForm,
    GiveRolesForm,
    KeepForm,
    ReasonForm,
    RemoveMembersForm,
    TakeRolesForm,
    UnblockForm,
    WriteForm,
)
from people.models import BlockReason, Role, User
from people.permissions import (
    can_block,
    can_change_people,
    can_end_sessions,
    can_erase,
    can_give_rights,
    can_invite,
    can_invite_again,
    can_manage,
    can_reset_second_factor,
    can_see_log_ins,
    can_write_to,
)
from people.services import (
    accounts,
    blocks,
    emails,
    exports,
    inactivity,
    invitations,
    passwords,
    second_factor,
    sessions,
    staff,
)
from project.common.admin.actions import StaffAction
from project.common.admin.forms import Answers
from project.mail.refusals import is_reachable

if TYPE_CHECKING:
    from collections.abc import Callable


def _told(answers: Answers) -> str:
    """What the person reads."""
    return str(answers["reason"]) if answers["tell"] else ""


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
    form=BlockForm,
    run=lambda person, by, answers: blocks.block(user=person, by=by, told=_told(answers)),
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
    form=UnblockForm,
    run=lambda person, by, answers: blocks.unblock(user=person, by=by, told=_told(answers)),
    on_list=True,
)
WRITE = StaffAction[User](
    name="write",
    title=_("Write"),
    icon="edit_note",
    explanation=_(
        "They will get an email from the school. It stays in the list of emails on this page."
    ),
    allows=can_change_people,
    allows_with=_not_erased(can_write_to),
    form=WriteForm,
    noted=lambda answers: str(answers["subject"]),
    preview=lambda person, by, answers: messages.preview(
        recipient=person, by=by, subject=answers["subject"], text=answers["text"]
    ),
    run=lambda person, by, answers: messages.send_message(recipient=person, by=by, **answers),
    done=_("The message was sent."),
)
ALLOW_MAIL = StaffAction[User](
    name="allow_mail",
    title=_("Allow email again"),
    icon="mark_email_read",
    under_more=True,
    explanation=_(
        "Email will be sent to this address again, until the mail server refuses it on two days. What "
        "was not sent meanwhile will not be sent later."
    ),
    allows=can_change_people,
    allows_with=_not_erased(can_manage),
    fits=lambda person: not is_reachable(person),
    form=ReasonForm,
    run=lambda person, by, _answers: accounts.allow_mail(user=person, by=by),
    on_list=True,
)
KEEP = StaffAction[User](
    name="keep",
    title=_("Keep this account"),
    icon="bookmark",
    under_more=True,
    explanation=_("It will not be blocked for inactivity, however long they stay away."),
    allows=can_change_people,
    allows_with=_not_erased(can_manage),
    fits=lambda person: person.is_active and not person.is_superuser and not person.kept_at,
    form=KeepForm,
    run=lambda person, by, answers: inactivity.keep_account(
        user=person, by=by, reason=answers["reason"]
    ),
    on_list=True,
)
STOP_KEEPING = StaffAction[User](
    name="stop_keeping",
    title=_("Stop keeping this account"),
    icon="bookmark_remove",
    under_more=True,
    explanation=_(
        "Inactivity will count again, from today on. They will get a warning by email before they "
        "are blocked."
    ),
    allows=can_change_people,
    allows_with=_not_erased(can_manage),
    fits=lambda person: bool(person.kept_at),
    form=ReasonForm,
    run=lambda person, by, _answers: inactivity.stop_keeping(user=person, by=by),
    on_list=True,
)
PASSWORD_RESET = StaffAction[User](
    name="password_reset",
    title=_("Send password reset"),
    icon="lock_reset",
    explanation=_("They will receive an email with a link to choose a new password."),
    allows=can_change_people,
    allows_with=_not_erased(can_manage),
    fits=lambda person: not person.is_awaited,
    run=lambda person, by, _answers: passwords.send_password_reset(user=person, by=by),
    on_list=True,
)


def _is_unconfirmed(person: User) -> bool:
    """An invitation confirms the address when its person comes."""
    return not (person.is_email_confirmed or person.is_awaited)


CONFIRMATION = StaffAction[User](
    name="send_confirmation",
    title=_("Send confirmation link"),
    icon="mark_email_unread",
    under_more=True,
    explanation=_("They will receive an email with a link that confirms their address."),
    allows=can_change_people,
    allows_with=_not_erased(can_manage),
    fits=_is_unconfirmed,
    run=lambda person, by, _answers: emails.send_confirmation(user=person, by=by),
    on_list=True,
)
CONFIRM = StaffAction[User](
    name="confirm_email",
    title=_("Mark email as confirmed"),
    icon="mark_email_read",
    under_more=True,
    explanation=_(
        "From now on they will receive all emails, such as news about courses. Do this only if you "
        "know that the address is theirs."
    ),
    allows=can_change_people,
    allows_with=_not_erased(can_manage),
    fits=_is_unconfirmed,
    form=ReasonForm,
    run=lambda person, by, _answers: emails.confirm_by_staff(user=person, by=by),
)


INVITE_AGAIN = StaffAction[User](
    name="invite_again",
    title=_("Invite again"),
    icon="forward_to_inbox",
    variant=ActionVariant.PRIMARY,
    explanation=_("They will receive an email with a new link. Earlier links will no longer work."),
    allows=can_invite,
    allows_with=can_invite_again,
    fits=lambda person: person.is_awaited,
    run=lambda person, by, _answers: invitations.invite_again(user=person, by=by),
    on_list=True,
)
WITHDRAW = StaffAction[User](
    name="withdraw",
    title=_("Withdraw the invitation"),
    icon="cancel_schedule_send",
    is_danger=True,
    explanation=_(
        "The link will no longer work. If nobody has used the account yet, it will be deleted."
    ),
    allows=lambda user: user.has_perm("people.delete_user"),
    allows_with=can_erase,
    fits=lambda person: person.is_awaited,
    run=lambda person, by, _answers: invitations.withdraw(user=person, by=by),
    on_list=True,
)


def _names(answer: str) -> "Callable[[Answers], str]":
    """For the log: what was chosen."""
    return lambda answers: ", ".join(map(str, answers[answer]))


WITH_ROLE = _("They will be able to log in here, and to do what the role says.")
WITHOUT_ROLE = _(
    "They will keep their account and their own courses. Without any role or right they can no "
    "longer log in here."
)

GIVE_ROLES = StaffAction[User](
    name="give_roles",
    title=_("Give a role"),
    icon="add_moderator",
    under_more=True,
    explanation=WITH_ROLE,
    allows=can_give_rights,
    allows_with=lambda _user, person: person.blocked_reason != BlockReason.ERASED,
    fits=lambda person: not person.is_awaited,
    form=GiveRolesForm,
    noted=_names("roles"),
    run=lambda person, by, answers: staff.give_roles(user=person, by=by, **answers),
    asks_code=True,
    on_list=True,
)
TAKE_ROLES = StaffAction[User](
    name="take_roles",
    title=_("Take a role away"),
    icon="remove_moderator",
    is_danger=True,
    under_more=True,
    explanation=WITHOUT_ROLE,
    allows=can_give_rights,
    fits=lambda person: bool(person.groups.all()),
    form=TakeRolesForm,
    noted=_names("roles"),
    run=lambda person, by, answers: staff.take_roles(user=person, by=by, **answers),
    asks_code=True,
    on_list=True,
)
EXPORT = StaffAction[User](
    name="export_data",
    title=_("Export data"),
    icon="folder_zip",
    under_more=True,
    explanation=_(
        "They will receive an email with a link to everything that is kept about them. The link works "
        "for seven days."
    ),
    allows=can_change_people,
    allows_with=_not_erased(can_manage),
    run=lambda person, by, _answers: exports.request_export(user=person, by=by),
)
END_SESSIONS = StaffAction[User](
    name="end_sessions",
    title=_("End all sessions"),
    icon="logout",
    under_more=True,
    is_danger=True,
    explanation=_("They will be logged out everywhere at once, and can log in again."),
    allows=can_see_log_ins,
    allows_with=_not_erased(can_end_sessions),
    fits=lambda person: bool(sessions.sessions_of(person)),
    run=lambda person, by, _answers: sessions.end_sessions_for_staff(user=person, by=by),
)
RESET_SECOND_FACTOR = StaffAction[User](
    name="reset_second_factor",
    title=_("Reset two-step verification"),
    icon="phonelink_erase",
    under_more=True,
    is_danger=True,
    explanation=_(
        "Make sure the request really comes from them. Their device and recovery codes will stop working, they "
        "will be logged out everywhere and notified by email. Until they set up a new device, their "
        "password alone will let them in."
    ),
    allows=can_give_rights,
    allows_with=_not_erased(can_reset_second_factor),
    fits=second_factor.has_device,
    form=ReasonForm,
    run=lambda person, by, _answers: second_factor.reset(user=person, by=by),
    asks_code=True,
)
ERASE = StaffAction[User](
    name="erase",
    title=_("Erase personal data"),
    icon="person_off",
    under_more=True,
    is_danger=True,
    explanation=_(
        "The name, email, phone, city and picture will be permanently erased, and so will what staff "
        "noted about this person. Subscriptions will end, and nobody will be able to log in. Payments "
        "and courses will stay."
    ),
    allows=lambda user: user.has_perm("people.delete_user"),
    allows_with=_not_erased(can_erase),
    form=ErasureForm,
    typed=lambda person: person.email,
    run=lambda person, by, _answers: accounts.erase_account(user=person, by=by),
)

PERSON_ACTIONS = (
    INVITE_AGAIN,
    WITHDRAW,
    WRITE,
    PASSWORD_RESET,
    UNBLOCK,
    BLOCK,
    ALLOW_MAIL,
    KEEP,
    STOP_KEEPING,
    CONFIRMATION,
    CONFIRM,
    GIVE_ROLES,
    TAKE_ROLES,
    END_SESSIONS,
    RESET_SECOND_FACTOR,
    EXPORT,
    ERASE,
)


def _add_members(role: Role, by: User, answers: Answers) -> None:
    for person in answers["people"]:
        staff.give_roles(user=person, roles=[role], by=by)


def _remove_members(role: Role, by: User, answers: Answers) -> None:
    for person in answers["people"]:
        staff.take_roles(user=person, roles=[role], by=by)


ADD_MEMBERS = StaffAction[Role](
    name="add_members",
    title=_("Add members"),
    icon="person_add",
    variant=ActionVariant.PRIMARY,
    explanation=WITH_ROLE,
    allows=can_give_rights,
    form=AddMembersForm,
    noted=_names("people"),
    run=_add_members,
    asks_code=True,
)
REMOVE_MEMBERS = StaffAction[Role](
    name="remove_members",
    title=_("Remove members"),
    icon="person_remove",
    is_danger=True,
    explanation=WITHOUT_ROLE,
    allows=can_give_rights,
    fits=lambda role: role.user_set.exists(),
    form=RemoveMembersForm,
    noted=_names("people"),
    run=_remove_members,
    asks_code=True,
)

ROLE_ACTIONS = (ADD_MEMBERS, REMOVE_MEMBERS)
