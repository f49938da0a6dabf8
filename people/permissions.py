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


def can_block(user: User, person: User) -> bool:
    """Staff who may change people; nobody themselves, and administrators only each other."""
    if user.pk == person.pk or not user.has_perm("people.change_user"):
        return False
    return user.is_superuser or not person.is_superuser
