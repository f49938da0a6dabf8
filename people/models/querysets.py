"""Which people: those one may see, those who are found, those who have not been here for long."""

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, Count, Exists, F, OuterRef, Q, When
from django.db.models.functions import Coalesce, Greatest, TruncDate
from django.utils import timezone

from people.models.choices import BlockReason
from people.validators import read_phone
from project.common.db.search import FEW, contains, find
from project.common.mailboxes import compared

if TYPE_CHECKING:
    from people.models.users import User

MODERATORS = "moderators"
# Of the demo school's accounts (project/demo.py).
DEMO_DOMAIN = "@parta.example"
# What finds a person: the public part of the profile; for staff who see names and e-mails, these as
# well; and for those who see people, the phone, too.
PUBLIC_SEARCHES = ("searched",)
NAME_SEARCHES = (*PUBLIC_SEARCHES, "searched_by_staff")
STAFF_SEARCHES = (*NAME_SEARCHES, "phone")
# The last sign of life, as the database reckons it. For SQLite the greatest of a null is null.
LAST_SEEN = Coalesce(
    Greatest("last_login", "inactivity_from"), "last_login", "inactivity_from", "date_joined"
)
# Whom inactivity may block; the condition of the index of LAST_SEEN as well.
SWEPT = Q(is_active=True, is_superuser=False, kept_at=None)


class UserQuerySet(models.QuerySet["User"]):
    def with_is_moderator(self) -> Self:
        """Answer `is_moderator` in the same query."""
        membership = self.model.groups.through.objects.filter(
            user_id=OuterRef("pk"), group__name=MODERATORS
        )
        return self.annotate(is_moderator=Exists(membership))

    def active(self) -> Self:
        return self.filter(is_active=True)

    def administrators(self) -> Self:
        return self.filter(is_superuser=True)

    def whom_to_ask(self) -> Self:
        """Those who are named to whoever lacks a right."""
        return self.active().administrators().order_by("pk")[:5]

    def visible_to(self, user: "User") -> Self:
        """People whose profile `user` may read: everyone active."""
        return self.active().with_is_moderator()

    def listed(self) -> Self:
        """Those who let themselves be found."""
        return self.filter(is_listed=True)

    def matching(self, text: str) -> Self:
        """People with `text` in the public part of their profile."""
        return self.filter(contains(text, *PUBLIC_SEARCHES))

    def awaited(self) -> Self:
        """Those whose account staff made, and who have not come yet."""
        return self.filter(invitation__isnull=False, invitation__accepted_at=None)

    def lately_unconfirmed(self) -> Self:
        """Those who registered in the last month, and had a day to confirm their address."""
        now = timezone.now()
        came = self.active().filter(Q(invitation=None) | Q(invitation__accepted_at__isnull=False))
        return came.filter(
            email_confirmed_at=None,
            date_joined__gte=now - timedelta(days=30),
            date_joined__lt=now - timedelta(days=1),
        )

    def not_erased(self) -> Self:
        return self.exclude(blocked_reason=BlockReason.ERASED)

    def of_the_demo(self) -> Self:
        """The accounts of the demo school, as far as somebody might use them."""
        return self.active().filter(email__endswith=DEMO_DOMAIN)

    def blocked(self) -> Self:
        return self.filter(is_active=False)

    def found_by_staff(self, text: str) -> Self:
        """People with `text` in their email, name, phone or city."""
        phone = contains(read_phone(text) or text, "phone")
        return find(self, contains(text, *STAFF_SEARCHES), phone)

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
        """How many people have `field` on each day since then, in the active time zone."""
        recent = self.filter(**{f"{field}__gte": since})
        counted = recent.annotate(day=TruncDate(field)).values("day").annotate(n=Count("pk"))
        return dict(counted.order_by().values_list("day", "n"))

    def blocked_for_inactivity(self) -> Self:
        return self.filter(is_active=False, blocked_reason=BlockReason.INACTIVITY)

    def kept(self) -> Self:
        """Those whom the sweep leaves alone because staff said so."""
        return self.filter(kept_at__isnull=False)

    def not_seen_since(self, moment: datetime, *, after: datetime | None = None) -> Self:
        """Active people whose last sign of life, `seen_at`, is before the moment, and not before
        `after`. Superusers and whom staff keep are not among them: inactivity is no matter of
        theirs."""
        people = self.filter(SWEPT).annotate(seen_at=LAST_SEEN)
        if after is not None:
            people = people.filter(seen_at__gte=after)
        return people.filter(seen_at__lt=moment)

    def not_warned(self) -> Self:
        """People who got no warning since they were here last; needs `not_seen_since`."""
        return self.filter(Q(warned_at=None) | Q(warned_at__lt=F("seen_at")))

    def by_email(self, email: str) -> Self:
        """The account of this mailbox, however its address is spelled.

        Where old rows have two accounts of one mailbox, each is found by its own spelling: the first
        one is meant.
        """
        typed, kept = email.strip().lower(), compared(email)
        if typed == kept:
            return self.filter(email__lower=kept)
        is_as_typed = Case(When(email__lower=typed, then=0), default=1)
        return self.filter(email__lower__in=[typed, kept]).order_by(is_as_typed)
