"""The policy of accounts: who may do what to whom. The API and the admin ask here.

Seeing is `visible_to` in models.py.
"""

from people.models import User


def can_read_in_full(user: User, person: User) -> bool:
    """Only one's own profile is shown whole; everybody else sees its public part."""
    return user.pk == person.pk


def can_change_profile(user: User, person: User) -> bool:
    """Only one's own, moderators and administrators included: staff work in the admin."""
    return user.pk == person.pk


def can_change_people(user: User) -> bool:
    """Look after others' accounts, in the admin. Blocking and managing need it."""
    return user.has_perm("people.change_user")


def can_block(user: User, person: User) -> bool:
    """Staff who may change people; nobody themselves, and administrators only each other."""
    if user.pk == person.pk or not can_change_people(user):
        return False
    return user.is_superuser or not person.is_superuser


def can_write_to(user: User, person: User) -> bool:
    """Send a person a message: whoever looks after people, to colleagues as well."""
    return can_change_people(user) and user.pk != person.pk


def can_manage(user: User, person: User) -> bool:
    """Change a person's data in the admin: whoever has the right to change people. Accounts of the
    staff, and of who is invited to a role, are for administrators: with their e-mail or password
    comes all that they may do."""
    if not can_change_people(user):
        return False
    if user.is_superuser:
        return True
    return not (person.is_staff or person.is_superuser or _awaits_roles(person))


def can_erase(user: User, person: User) -> bool:
    """Nobody themselves here: the API has an operation for that."""
    return user.pk != person.pk and user.has_perm("people.delete_user") and can_manage(user, person)


def can_invite(user: User) -> bool:
    """Make accounts for others, who choose their password themselves."""
    return can_change_people(user) and user.has_perm("people.add_user")


def can_invite_again(user: User, person: User) -> bool:
    """Whoever invites; where roles wait, who gives them."""
    return can_invite(user) and (can_give_rights(user) or not _awaits_roles(person))


def can_give_rights(user: User) -> bool:
    """Rights, groups and moderators are a matter of administrators: whoever else could give them
    could give them to themselves."""
    return user.is_active and user.is_superuser


def can_see_log_ins(user: User) -> bool:
    """When people logged in, from where and with what, is for administrators."""
    return user.is_active and user.is_superuser


def can_end_sessions(user: User, person: User) -> bool:
    """Administrators; one's own are ended on a page of one's own, which leaves the present one."""
    return can_see_log_ins(user) and user.pk != person.pk


def can_reset_second_factor(user: User, person: User) -> bool:
    """Nobody their own: a session that was left open must not be enough."""
    return can_give_rights(user) and user.pk != person.pk


def _awaits_roles(person: User) -> bool:
    return person.is_awaited and bool(person.invitation.roles.exists())
