"""An account from its registration to its erasure. One service, one transaction."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.utils import timezone

from lms.services import subscriptions
from payments.services.transitions import close_needless_soon
from people.errors import AdministratorExists, EmailTaken, LastAdministrator, RegistrationClosed
from people.models import CourseMails, User
from people.permissions import can_erase, can_manage
from people.services.emails import ask_to_confirm, save_account
from people.services.erasing import erase_traces
from people.services.exports import discard_export
from people.services.locks import has_other_administrator, lock_active_account, lock_for_staff
from people.services.passwords import checked_hash
from project.common.images import Picture, discard_file, exchange_image, stored_image
from project.common.versions import Expected, check_version
from project.mail import refusals


def register(*, email: str, password: str, profile: Mapping[str, Any]) -> User:
    """Create an account that can log in at once, and send a link that confirms its address.

    Raises RegistrationClosed, ValidationError for a field or the password, EmailTaken whatever the
    spelling.
    """
    if not settings.REGISTRATION:
        raise RegistrationClosed
    return _create(User(email=email, **profile), password)


def create_account(*, email: str, password: str, profile: Mapping[str, Any]) -> User:
    """Create an account on behalf of the school, whose word the address is taken on. Raises as
    `register`, whether or not anybody may register."""
    return _create(User(email=email, email_confirmed_at=timezone.now(), **profile), password)


def create_administrator(*, email: str, password: str, profile: Mapping[str, Any]) -> User:
    """As `create_account`, with all rights."""
    rights = {"is_staff": True, "is_superuser": True}
    return create_account(email=email, password=password, profile={**profile, **rights})


@transaction.atomic
def create_first_administrator(*, email: str, password: str, profile: Mapping[str, Any]) -> User:
    """As `create_administrator`, for whoever comes first. Raises AdministratorExists."""
    # No administrator is there to be locked. This row always is.
    ContentType.objects.select_for_update().get(app_label="people", model="user")
    if User.objects.administrators().exists():
        raise AdministratorExists
    return create_administrator(email=email, password=password, profile=profile)


def _create(user: User, password: str) -> User:
    user.clean_fields(exclude={"password"})
    encoded = checked_hash(password, user=user, field="password")
    if User.objects.by_email(user.email).exists():
        raise EmailTaken
    user.set_password_hash(encoded)
    with transaction.atomic():
        save_account(user)
        if not user.is_email_confirmed:
            ask_to_confirm(user)
    return user


@transaction.atomic
def update_profile(*, user: User, changes: Mapping[str, object], expected: Expected = None) -> User:
    """Change the given fields of a profile. Raises ValidationError for a field, ChangedMeanwhile."""
    user = lock_active_account(user)
    check_version(user, expected)
    before = CourseMails(user.course_mails)
    if changed := user.set_fields(changes):
        user.save(update_fields=changed)
        subscriptions.follow_choice(user, before=before)
    return user


@transaction.atomic
def allow_mail(*, user: User, by: User) -> User:
    """Let mail go to a person's address again, which the mail server had refused. Raises
    PermissionDenied, AccountErased."""
    user = lock_for_staff(user, by=by, to=can_manage)
    refusals.allow_mail(user)
    return user


def set_avatar(*, user: User, picture: Picture | None, expected: Expected = None) -> User:
    """Replace the avatar by a cleaned picture; None removes it. Raises ChangedMeanwhile."""
    with stored_image(user, "avatar", picture) as name, transaction.atomic():
        user = lock_active_account(user)
        check_version(user, expected)
        exchange_image(user, "avatar", name)
        return user


@transaction.atomic
def erase_account(*, user: User, by: User | None = None, expected: Expected = None) -> None:
    """Erase a person's data for good and let nobody in by this account any more.

    At the person's own wish, or, with `by`, by staff on their behalf, of a blocked account too.

    What the school needs stays, without a name: payments for the books, and courses of an author,
    which others may have paid for. Raises LastAdministrator, PermissionDenied, AccountErased,
    ChangedMeanwhile.
    """
    another_stays = user.is_superuser and has_other_administrator(user)
    user = lock_for_staff(user, by=by, to=can_erase) if by else lock_active_account(user)
    check_version(user, expected)
    if user.is_superuser and not another_stays:
        raise LastAdministrator
    discard_file(user.avatar)
    user.erase()
    user.save()
    discard_export(user)
    erase_traces(user)
    close_needless_soon(user)
