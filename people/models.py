"""People: the user, who signs in by email, and the groups that give rights."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Self
from uuid import uuid4

from django.conf import settings
from django.contrib.auth import hashers
from django.contrib.auth.models import AbstractUser, BaseUserManager, Group
from django.db import models
from django.db.models import Count, Exists, F, OuterRef, Q
from django.db.models.functions import UUID4, Coalesce, Lower, Now, TruncDate
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from people.validators import ERASED_DOMAIN, validate_mailbox, validate_phone
from project.common.db.derived import DerivedModel
from project.common.db.search import FEW, contains, find
from project.common.db.searched import SearchedField
from project.common.images import random_name
from project.common.versions import version_of

MODERATORS = "moderators"
# Of the demo school's accounts (project/demo.py): everybody knows the password.
DEMO_DOMAIN = "@parta.example"
DEMO_PASSWORD = "learn-with-parta"  # noqa: S105
# How long the token that was exchanged last gets its successor once more: answers are lost, and two
# tabs exchange the same token.
GRACE_PERIOD = timedelta(seconds=30)


class Language(models.TextChoices):
    ENGLISH = "en", _("English")
    RUSSIAN = "ru", _("Russian")

    @classmethod
    def of_code(cls, code: str | None) -> "Language":
        """The language of a code as Django writes it (`ru`, `en-gb`); English if we have none."""
        short = (code or "").partition("-")[0]
        return cls(short) if short in cls.values else cls.ENGLISH


class BlockReason(models.TextChoices):
    """Who took the access away: only a block by the sweep can be lifted by its owner by mail."""

    STAFF = "staff", _("blocked by staff")
    INACTIVITY = "inactivity", _("inactive for too long")
    ERASED = "erased", _("erased at the person's own request")


# What finds a person: the public part of the profile; for staff who see names and e-mails, these as
# well; and for those who see people, the phone, too.
PUBLIC_SEARCHES = ("searched",)
NAME_SEARCHES = (*PUBLIC_SEARCHES, "searched_by_staff")
STAFF_SEARCHES = (*NAME_SEARCHES, "phone")
# The last sign of life, as the database reckons it.
LAST_SEEN = Coalesce("last_login", "date_joined")


class UserQuerySet(models.QuerySet["User"]):
    def with_is_moderator(self) -> Self:
        """Answer `is_moderator` in the same query."""
        membership = User.groups.through.objects.filter(
            user_id=OuterRef("pk"), group__name=MODERATORS
        )
        return self.annotate(is_moderator=Exists(membership))

    def active(self) -> Self:
        return self.filter(is_active=True)

    def visible_to(self, user: "User") -> Self:
        """People whose profile `user` may read: everyone active."""
        return self.active().with_is_moderator()

    def listed(self) -> Self:
        """Those who let themselves be found."""
        return self.filter(is_listed=True)

    def matching(self, text: str) -> Self:
        """People with `text` in the public part of their profile."""
        return self.filter(contains(text, *PUBLIC_SEARCHES))

    def not_erased(self) -> Self:
        return self.exclude(blocked_reason=BlockReason.ERASED)

    def of_the_demo(self) -> Self:
        """The accounts of the demo school, as far as somebody might use them."""
        return self.active().filter(email__endswith=DEMO_DOMAIN)

    def blocked(self) -> Self:
        return self.filter(is_active=False)

    def found_by_staff(self, text: str) -> Self:
        """People with `text` in their email, name, phone or city."""
        return find(self, contains(text, *STAFF_SEARCHES))

    def named_like(self, text: str) -> Self:
        """People with `text` in their email, name or city."""
        return self.filter(contains(text, *NAME_SEARCHES))

    def soon_blocked(self, *, at: datetime | None = None) -> Self:
        """Accounts that the inactivity sweep will block within a week from `at` (default: now), if
        nobody logs in."""
        limit = (at or timezone.now()) - settings.INACTIVITY_PERIOD + timedelta(days=7)
        return self.not_seen_since(limit)

    def soon_blocked_count(self) -> int:
        """How many those are, at most FEW: after a long rest it may be nearly everybody."""
        return self.soon_blocked().order_by(LAST_SEEN)[:FEW].count()

    def per_day(self, field: str, *, since: datetime) -> dict[date, int]:
        """How many people have `field` on each day since then, in the project's time zone."""
        recent = self.filter(**{f"{field}__gte": since})
        counted = recent.annotate(day=TruncDate(field)).values("day").annotate(n=Count("pk"))
        return dict(counted.order_by().values_list("day", "n"))

    def blocked_for_inactivity(self) -> Self:
        return self.filter(is_active=False, blocked_reason=BlockReason.INACTIVITY)

    def not_seen_since(self, moment: datetime, *, after: datetime | None = None) -> Self:
        """Active people whose last sign of life, `seen_at`, is before the moment, and not before
        `after`. Superusers are not among them: inactivity is no matter of theirs."""
        people = self.filter(is_active=True, is_superuser=False).annotate(seen_at=LAST_SEEN)
        if after is not None:
            people = people.filter(seen_at__gte=after)
        return people.filter(seen_at__lt=moment)

    def not_warned(self) -> Self:
        """People who got no warning since they were here last; needs `not_seen_since`."""
        return self.filter(Q(warned_at=None) | Q(warned_at__lt=F("seen_at")))

    def by_email(self, email: str) -> Self:
        """The account of this address, whatever its letter case."""
        return self.filter(email__lower=email.strip().lower())


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, username: str | None) -> "User":
        user: User = self.by_email(username or "").get()
        return user

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        email = self.normalize_email(email)
        User._meta.get_field("email").run_validators(email)
        user: User = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


# What changes by itself, or is never shown.
NO_EDIT = frozenset(
    {"password", "last_login", "warned_at", "token_version", "identity", *NAME_SEARCHES}
)


class User(DerivedModel, AbstractUser):
    """A person. `is_active` is False while blocked; `blocked_reason` says by whom."""

    username = None  # type: ignore[assignment]
    email = models.EmailField(_("email"), unique=True, validators=[validate_mailbox])
    phone = models.CharField(_("phone"), max_length=16, blank=True, validators=[validate_phone])
    city = models.CharField(_("city"), max_length=100, blank=True)
    avatar = models.ImageField(_("avatar"), upload_to=random_name("avatars"), blank=True)
    language = models.CharField(
        _("language"), max_length=2, choices=Language, default=Language.ENGLISH
    )
    is_listed = models.BooleanField(
        _("listed"),
        default=True,
        db_default=True,
        help_text=_("Whether others find this person in the list of people."),
    )
    blocked_at = models.DateTimeField(_("blocked at"), null=True, blank=True, editable=False)
    blocked_reason = models.CharField(
        _("reason for the block"), max_length=10, choices=BlockReason, blank=True, editable=False
    )
    # When the sweep told this person that it will block them; counts for one absence.
    warned_at = models.DateTimeField(_("warned at"), null=True, blank=True, editable=False)
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
        ]
        indexes = [
            models.Index(
                LAST_SEEN,
                name="user_last_seen",
                condition=Q(is_active=True, is_superuser=False),
            ),
            # Orders that the staff's list offers; read backwards for descending.
            models.Index(fields=["last_login", "id"], name="user_last_login"),
            models.Index(fields=["date_joined", "id"], name="user_joined"),
            # The few among the many.
            models.Index(fields=["id"], name="user_blocked", condition=Q(is_active=False)),
            models.Index(
                fields=["blocked_reason", "id"],
                name="user_blocked_reason",
                condition=~Q(blocked_reason=""),
            ),
            models.Index(fields=["id"], name="user_staff", condition=Q(is_staff=True)),
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
        """The last log-in; before the first one, the moment of joining."""
        return self.last_login or self.date_joined

    @property
    def is_administrator(self) -> bool:
        return self.is_superuser

    @cached_property
    def is_moderator(self) -> bool:
        return self.groups.filter(name=MODERATORS).exists()

    def set_password(self, raw_password: str | None) -> None:
        """Also end all tokens: every way to a new password, the admin's too, comes through here."""
        self.set_password_hash(hashers.make_password(raw_password))
        self._password = raw_password

    def set_password_hash(self, encoded: str) -> None:
        """Use a hash that was computed before (it takes long), and end all tokens. Saves nothing."""
        self.password = encoded
        self.token_version += 1

    def check_password(self, raw_password: str | None) -> bool:
        """Say whether this is the password; store its hash anew if the hashing has changed since.

        That of the demo school's accounts, which everybody knows, is right in development only.
        Unlike Django's own this neither ends the tokens nor overwrites a password that was changed
        in the meantime.
        """

        def upgrade(raw_password: str | None) -> None:
            upgraded = hashers.make_password(raw_password)
            User.objects.filter(pk=self.pk, password=self.password).update(password=upgraded)

        is_right = hashers.check_password(raw_password, self.password, upgrade)
        is_known_to_all = self.email.endswith(DEMO_DOMAIN) and raw_password == DEMO_PASSWORD
        return is_right and (settings.DEBUG or not is_known_to_all)

    def set_fields(self, values: Mapping[str, object]) -> list[str]:
        """Set what differs and check it; return the names. Raises ValidationError for a field.
        Saves nothing."""
        changed = [name for name, value in values.items() if getattr(self, name) != value]
        for name in changed:
            setattr(self, name, values[name])
        self.clean_fields(exclude={f.name for f in self._meta.get_fields()}.difference(changed))
        return changed

    def block(self, reason: BlockReason) -> None:
        """Refuse this person at once, with every token they hold. Saves nothing."""
        self.is_active = False
        self.blocked_at = timezone.now()
        self.blocked_reason = reason
        self.token_version += 1

    def unblock(self) -> None:
        """Let this person in again, with a new log-in. Saves nothing.

        It counts as activity, or the inactivity sweep would block them again the same night.
        """
        self.last_login = timezone.now()
        self.is_active = True
        self.blocked_at = None
        self.blocked_reason = ""

    def erase(self) -> None:
        """Forget who this was, and let nobody in as them any more. Saves nothing."""
        self.first_name = self.last_name = self.phone = self.city = self.avatar = ""
        self.email = f"erased-{self.pk}@{ERASED_DOMAIN}"
        self.is_staff = self.is_superuser = False
        self.set_unusable_password()
        self.block(BlockReason.ERASED)


models.CharField.register_lookup(Lower)


def moderators_group() -> Group:
    """The group of `fixtures/groups.json`."""
    return Group.objects.get(name=MODERATORS)


class TokenFamilyQuerySet(models.QuerySet["TokenFamily"]):
    def with_now(self) -> Self:
        """Answer `now` by the clock of the database: those of the hosts may differ by more than the
        grace period."""
        return self.annotate(now=Now())


class TokenFamily(models.Model):
    """The refresh tokens that descend from one log-in. Without this row none of them is good.

    Only the newest one, number `generation`, can be exchanged. No token is kept: all that is written
    in it can be read here, so that it can be signed again.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="token_families")
    generation = models.PositiveIntegerField(default=0)
    # Of the newest token.
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    now: datetime  # of `with_now`

    objects = TokenFamilyQuerySet.as_manager()

    class Meta:
        verbose_name = _("log-in")
        verbose_name_plural = _("log-ins")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.pk}, {self.generation}"

    def accepts(self, generation: int, *, at: datetime) -> bool:
        """Say whether this token can be exchanged: the newest one, and for GRACE_PERIOD the one
        before it."""
        if generation == self.generation - 1:
            return at < self.issued_at + GRACE_PERIOD
        return generation == self.generation

    def advance(self, *, at: datetime, lifetime: timedelta) -> None:
        """Replace the newest token by another one. Saves nothing."""
        self.generation += 1
        self.issued_at = at
        self.expires_at = at + lifetime
