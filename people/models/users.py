"""The person, who signs in by email, and the group of moderators."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import uuid4

from django.conf import settings
from django.contrib.auth import hashers
from django.contrib.auth.models import AbstractUser, BaseUserManager, Group
from django.db import models
from django.db.models import Q
from django.db.models.functions import UUID4, Lower
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from people.hashers import composed, hash_of
from people.models.choices import BlockReason, CourseMails, Language, usual_language
from people.models.fields import MailboxField, NameField, PhoneField
from people.models.querysets import (
    DEMO_DOMAIN,
    LAST_SEEN,
    MODERATORS,
    NAME_SEARCHES,
    SWEPT,
    UserQuerySet,
)
from people.validators import ERASED_DOMAIN, validate_mailbox, validate_phone
from project.common.db.derived import DerivedModel
from project.common.db.searched import SearchedField
from project.common.images import random_name
from project.common.mailboxes import canonical
from project.common.versions import version_of

# Of the demo school's accounts: everybody knows it.
DEMO_PASSWORD = "learn-with-parta"  # noqa: S105
# How often somebody who is here without a new log-in is noted.
PRESENCE_NOTED = timedelta(hours=1)


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        return canonical(email or "")

    def get_by_natural_key(self, username: str | None) -> "User":
        user: User | None = self.by_email(username or "").first()
        if user is None:
            raise self.model.DoesNotExist
        return user

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make an account on behalf of the school, whose word the address is taken on."""
        email = self.normalize_email(email)
        User._meta.get_field("email").run_validators(email)
        fields.setdefault("email_confirmed_at", timezone.now())
        user: User = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


# What changes by itself, or is never shown.
NO_EDIT = frozenset(
    {
        "password",
        "last_login",
        "inactivity_from",
        "warned_at",
        "token_version",
        "identity",
        "new_email",
        *NAME_SEARCHES,
    }
)


class User(DerivedModel, AbstractUser):
    """A person. `is_active` is False while blocked; `blocked_reason` says by whom."""

    username = None  # type: ignore[assignment]
    email = MailboxField(_("email"), unique=True, validators=[validate_mailbox])
    # Null: nobody has shown yet that they read what is sent there.
    email_confirmed_at = models.DateTimeField(
        _("email confirmed at"), null=True, blank=True, editable=False
    )
    # What the person asked to have instead; it takes the place of the other by a link that is sent there.
    new_email = MailboxField(_("new email"), blank=True, default="", db_default="", editable=False)
    first_name = NameField(_("first name"), max_length=150, blank=True)
    last_name = NameField(_("last name"), max_length=150, blank=True)
    phone = PhoneField(_("phone"), max_length=16, blank=True, validators=[validate_phone])
    city = NameField(_("city"), max_length=100, blank=True)
    avatar = models.ImageField(_("avatar"), upload_to=random_name("avatars"), blank=True)
    language = models.CharField(
        _("language"), max_length=2, choices=Language, default=usual_language
    )
    is_listed = models.BooleanField(
        _("listed"),
        default=True,
        db_default=True,
        help_text=_("Whether others find this person in the list of people."),
    )
    course_mails = models.CharField(
        _("emails about course updates"),
        max_length=10,
        choices=CourseMails,
        default=CourseMails.AT_ONCE,
        db_default=CourseMails.AT_ONCE.value,
        help_text=_("Unless the person chose otherwise for a course."),
    )
    blocked_at = models.DateTimeField(_("blocked at"), null=True, blank=True, editable=False)
    blocked_reason = models.CharField(
        _("reason for the block"), max_length=10, choices=BlockReason, blank=True, editable=False
    )
    # When the sweep told this person that it will block them; counts for one absence.
    warned_at = models.DateTimeField(_("warned at"), null=True, blank=True, editable=False)
    # Where it is later than the last log-in, inactivity counts from here: from an unblocking, say.
    inactivity_from = models.DateTimeField(
        _("inactivity counts from"), null=True, blank=True, editable=False
    )
    kept_at = models.DateTimeField(_("kept since"), null=True, blank=True, editable=False)
    kept_reason = models.CharField(
        _("reason to keep the account"),
        max_length=500,
        blank=True,
        default="",
        db_default="",
        editable=False,
    )
    # Names the account in tokens and links. The number would not do: after a backup was put back it is
    # given again, and whoever had it would hold tokens of somebody else.
    identity = models.UUIDField(default=uuid4, db_default=UUID4(), unique=True, editable=False)
    searched = SearchedField(of=["first_name", "city"])
    searched_by_staff = SearchedField(of=["last_name", "email"])
    # Every token carries the version it was issued under; raising it ends them all at once.
    token_version = models.PositiveIntegerField(default=0, editable=False)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_unique",
                violation_error_message=_("An account with this email already exists."),
            ),
            models.CheckConstraint(
                condition=Q(blocked_at=None, blocked_reason="")
                | (Q(blocked_at__isnull=False, is_active=False) & ~Q(blocked_reason="")),
                name="user_block_has_time_and_reason",
            ),
            models.CheckConstraint(
                condition=Q(kept_at=None, kept_reason="")
                | (Q(kept_at__isnull=False) & ~Q(kept_reason="")),
                name="user_kept_for_a_reason",
            ),
        ]
        indexes = [
            models.Index(LAST_SEEN, name="user_last_seen", condition=SWEPT),
            # Orders that the staff's list offers; read backwards for descending.
            models.Index(fields=["last_login", "id"], name="user_last_login"),
            models.Index(fields=["date_joined", "id"], name="user_joined"),
            # That of payments by person begins with it.
            models.Index(fields=["last_name", "first_name", "id"], name="user_name"),
            # The few among the many.
            models.Index(fields=["id"], name="user_blocked", condition=Q(is_active=False)),
            models.Index(
                fields=["blocked_reason", "id"],
                name="user_blocked_reason",
                condition=~Q(blocked_reason=""),
            ),
            models.Index(fields=["id"], name="user_staff", condition=Q(is_staff=True)),
            models.Index(fields=["id"], name="user_kept", condition=Q(kept_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.get_full_name() or self.email

    @property
    def version(self) -> str:
        """Changes with what people know and say of the person; not with each log-in."""
        return version_of(
            getattr(self, field.attname)
            for field in self._meta.concrete_fields
            if field.attname not in NO_EDIT
        )

    @property
    def last_seen(self) -> datetime:
        """The last sign of life; before the first log-in, the moment of joining."""
        return max(filter(None, (self.last_login, self.inactivity_from)), default=self.date_joined)

    @property
    def was_here_at(self) -> datetime | None:
        """When they were here last; None: never."""
        return self.last_seen if self.last_login or self.inactivity_from else None

    @property
    def blocked_on(self) -> datetime | None:
        """From when on the sweep blocks this person, unless they come back; None: it does not."""
        if not self.is_active or self.is_superuser or self.kept_at:
            return None
        return self.last_seen + settings.INACTIVITY_PERIOD

    @property
    def is_blocked_by_staff(self) -> bool:
        return not self.is_active and self.blocked_reason == BlockReason.STAFF

    @property
    def is_warned(self) -> bool:
        """Whether a warning was written since this person was here last."""
        return self.warned_at is not None and self.warned_at >= self.last_seen

    @property
    def is_email_confirmed(self) -> bool:
        return self.email_confirmed_at is not None

    @property
    def is_administrator(self) -> bool:
        return self.is_superuser

    @property
    def is_awaited(self) -> bool:
        """Staff made this account, and its person has not come yet; where roles wait for them, not by
        the invitation."""
        invitation = getattr(self, "invitation", None)
        return invitation is not None and invitation.accepted_at is None

    @cached_property
    def is_moderator(self) -> bool:
        return self.groups.filter(name=MODERATORS).exists()

    def set_password(self, raw_password: str | None) -> None:
        """Also end all tokens: every way to a new password, the admin's too, comes through here."""
        self.set_password_hash(hash_of(raw_password))
        self._password = raw_password

    def set_password_hash(self, encoded: str) -> None:
        """Use a hash that was computed before (it takes long), and end all tokens. Saves nothing."""
        self.password = encoded
        self.token_version += 1

    def check_password(self, raw_password: str | None) -> bool:
        """Say whether this is the password, with its letters composed, or as typed, as it was kept
        before; store its hash anew if it was, or if the hashing has changed since.

        That of the demo school's accounts, which everybody knows, is right in development only.
        Unlike Django's own this neither ends the tokens nor overwrites a password that was changed
        in the meantime.
        """

        if raw_password is None:
            return False
        password = composed(raw_password)

        def upgrade(_password: str | None = None) -> None:
            upgraded = hashers.make_password(password)
            User.objects.filter(pk=self.pk, password=self.password).update(password=upgraded)

        is_right = hashers.check_password(password, self.password, upgrade)
        if not is_right and password != raw_password:
            is_right = hashers.check_password(raw_password, self.password)
            if is_right:
                upgrade()
        is_known_to_all = self.email.endswith(DEMO_DOMAIN) and raw_password == DEMO_PASSWORD
        return is_right and (settings.DEBUG or not is_known_to_all)

    def set_fields(self, values: Mapping[str, object]) -> list[str]:
        """Set what differs and check it; return the names. Raises ValidationError for a field.
        Saves nothing."""
        fields = {field.name: field for field in self._meta.concrete_fields}
        kept = {name: fields[name].to_python(value) for name, value in values.items()}
        changed = [name for name, value in kept.items() if getattr(self, name) != value]
        for name in changed:
            setattr(self, name, kept[name])
        self.clean_fields(exclude={f.name for f in self._meta.get_fields()}.difference(changed))
        return changed

    def change_email(self, email: str, *, confirmed_at: datetime | None) -> None:
        """Replace the address, and forget what another change asked for. Saves nothing."""
        self.email = email
        self.new_email = ""
        self.email_confirmed_at = confirmed_at

    def block(self, reason: BlockReason) -> None:
        """Refuse this person at once, with every token they hold. Saves nothing."""
        self.is_active = False
        self.blocked_at = timezone.now()
        self.blocked_reason = reason
        self.token_version += 1

    def note_presence(self) -> None:
        """Note that this person is here with a token or a session that may be older than the last
        log-in."""
        now = timezone.now()
        if now - self.last_seen > PRESENCE_NOTED:
            self.inactivity_from = now
            User.objects.active().filter(pk=self.pk).update(inactivity_from=now)

    def keep(self, reason: str) -> None:
        """Have the sweep leave this person alone. Saves nothing."""
        self.kept_at, self.kept_reason = timezone.now(), reason

    def stop_keeping(self) -> None:
        """Inactivity counts again, from now on: there has to be time for a warning. Saves nothing."""
        self.kept_at, self.kept_reason = None, ""
        self.inactivity_from = timezone.now()

    def unblock(self) -> None:
        """Let this person in again, with a new log-in. Saves nothing.

        Inactivity counts from now on, or the sweep would block them again the same night.
        """
        self.inactivity_from = timezone.now()
        self.is_active = True
        self.blocked_at = None
        self.blocked_reason = ""

    def erase(self) -> None:
        """Forget who this was, and let nobody in as them any more. Saves nothing."""
        self.first_name = self.last_name = self.phone = self.city = self.avatar = ""
        self.change_email(f"erased-{self.pk}@{ERASED_DOMAIN}", confirmed_at=None)
        self.is_staff = self.is_superuser = False
        self.last_login = self.warned_at = None
        self.inactivity_from, self.kept_at, self.kept_reason = None, None, ""
        self.set_unusable_password()
        self.block(BlockReason.ERASED)


models.CharField.register_lookup(Lower)


def moderators_group() -> Group:
    """The group of `fixtures/groups.json`."""
    return Group.objects.get(name=MODERATORS)
