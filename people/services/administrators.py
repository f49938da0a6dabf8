"""The superuser of `manage.py csu`."""

from django.contrib.auth.hashers import make_password
from django.db import transaction

from people.models import User
from people.services.accounts import open_account
from people.services.locks import lock_account
from people.services.passwords import check_password_rules


def create_administrator(*, email: str, password: str) -> User:
    """Create an account that may do everything. Raises ValidationError, EmailTaken."""
    return open_account(User(email=email, is_staff=True, is_superuser=True), password=password)


def reset_password(*, user: User, password: str) -> User:
    """Give an administrator a new password and end all their tokens; a block stays. Raises
    ValidationError of `password`."""
    check_password_rules(password, user=user, field="password")
    encoded = make_password(password)
    with transaction.atomic():
        user = lock_account(user.pk)
        user.set_password_hash(encoded)
        user.save(update_fields=["password", "token_version"])
    return user
