"""An account from its registration to its erasure. One service, one transaction."""

from collections.abc import Mapping
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction

from lms.models import Subscription
from people.errors import AccountErased, EmailTaken, LastAdministrator
from people.models import BlockReason, User
from people.permissions import can_erase
from people.services.locks import has_other_administrator, lock_account, lock_active_account
from people.services.passwords import check_password_rules
from people.validators import ERASED_DOMAIN
from project.common.images import discard_file, exchange_image, stored_image

PERSONAL_TEXTS = ("first_name", "last_name", "phone", "city")


def register(*, email: str, password: str, profile: Mapping[str, Any]) -> User:
    """Create an account that can log in at once.

    Raises ValidationError for a field or the password, EmailTaken whatever the letter case.
    """
    return open_account(User(email=email, **profile), password=password)


def open_account(user: User, *, password: str) -> User:
    """Check and save a new account, an administrator's too. Raises as `register`."""
    user.email = User.objects.normalize_email(user.email.strip())
    user.clean_fields(exclude={"password"})
    check_password_rules(password, user=user, field="password")
    if User.objects.by_email(user.email).exists():
        raise EmailTaken
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:
        # Somebody took it since we looked; anything else is a fault of ours.
        if User.objects.by_email(user.email).exists():
            raise EmailTaken from None
        raise
    return user


@transaction.atomic
def update_profile(*, user: User, changes: Mapping[str, Any]) -> User:
    """Change the given fields of a profile. Raises ValidationError for a field."""
    user = lock_active_account(user)
    changed = [name for name, value in changes.items() if getattr(user, name) != value]
    for name in changed:
        setattr(user, name, changes[name])
    fields = {field.name for field in User._meta.get_fields()}
    user.clean_fields(exclude=fields.difference(changed))
    if changed:
        user.save(update_fields=changed)
    return user


def set_avatar(*, user: User, picture: "ContentFile[bytes] | None") -> User:
    """Replace the avatar by a cleaned picture; None removes it."""
    with stored_image(user, "avatar", picture) as name, transaction.atomic():
        user = lock_active_account(user)
        exchange_image(user, "avatar", name)
        return user


@transaction.atomic
def erase_account(*, user: User, by: User | None = None) -> None:
    """Erase a person's data for good and let nobody in by this account any more.

    At the person's own wish, or, with `by`, by staff on their behalf, of a blocked account too.

    What the school needs stays, without a name: payments for the books, and courses of an author,
    which others may have paid for. Raises LastAdministrator, PermissionDenied, AccountErased.
    """
    # Administrators first: whoever locks several accounts does so in this order.
    if user.is_superuser and not has_other_administrator(user):
        raise LastAdministrator
    user = lock_active_account(user) if by is None else _locked_by_staff(user, by)
    discard_file(user.avatar)
    _depersonalize(user)
    user.groups.clear()
    user.user_permissions.clear()
    Subscription.objects.filter(user=user).delete()
    _rename_in_admin_log(user)


def _locked_by_staff(user: User, by: User) -> User:
    user = lock_account(user.pk)
    if not can_erase(by, user):
        raise PermissionDenied
    if user.blocked_reason == BlockReason.ERASED:
        raise AccountErased
    return user


def _depersonalize(user: User) -> None:
    for name in PERSONAL_TEXTS:
        setattr(user, name, "")
    user.avatar = ""
    user.email = f"erased-{user.pk}@{ERASED_DOMAIN}"
    user.is_staff = user.is_superuser = False
    user.set_unusable_password()
    user.block(BlockReason.ERASED)
    user.save()


def _rename_in_admin_log(user: User) -> None:
    """The log of the admin keeps a copy of the name or e-mail beside each change."""
    of_person = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk)
    )
    of_person.update(object_repr=str(user))
