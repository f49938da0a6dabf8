"""Giving and taking the right to learn (docs/rules.md, 11)."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lms.mails import GIVEN, REVOKED
from lms.models import Access, AccessSource, Course, Lesson
from people.models import User
from project.common.db.bulk import insert_rows
from project.common.errors import Conflict
from project.mail.services import send_to_each, send_to_one


class NotRevocable(Conflict):
    code = "access_not_revocable"
    message = _(
        "Access that comes from a payment is revoked by a refund, and revoked access stays revoked."
    )


@transaction.atomic
def grant_access(
    *,
    user: User,
    target: Course | Lesson,
    source: AccessSource,
    reference: str = "",
    given_by: User | None = None,
    reason: str = "",
    tell: bool = False,
) -> tuple[Access, bool]:
    """Give a person the right to learn a course or a lesson; say whether it is a new one.

    What staff grant is told by mail, with the reason if they `tell` it. With a `reference` (as `payment:17`) there is one right for each reference, for ever: one that
    was revoked comes to life again. Without, there is one active right of each source.
    """
    place = {"course": target} if isinstance(target, Course) else {"lesson": target}
    details = {"given_by": given_by, "reason": reason, "is_reason_told": tell}
    if not reference:
        access, created = Access.objects.get_or_create(
            user=user, **place, source=source, reference="", revoked_at=None, defaults=details
        )
        if created and source == AccessSource.GRANT:
            send_to_one(GIVEN, user, subject_id=access.pk, key=str(access.pk), title=target.title)
        return access, created
    access, created = Access.objects.select_for_update().get_or_create(
        reference=reference, defaults={"user": user, **place, "source": source, **details}
    )
    if access.revoked_at is not None:
        access.revoked_at, access.revoked_reason = None, ""
        access.save(update_fields=["revoked_at", "revoked_reason"])
        created = True
    return access, created


@transaction.atomic
def grant_to_many(
    *, users: Iterable[User], course: Course, given_by: User, reason: str, tell: bool = False
) -> list[Access]:
    """Give people the right to learn a whole course, as `grant_access` does for staff; return the new
    rights. Who has the whole course already, by whatever right, or owns it, gets none. Raises
    DoesNotExist."""
    course = Course.objects.protected_from_deletion().get(pk=course.pk)
    users = list(users)
    holding = Access.objects.active().filter(course=course, user__in=users)
    holders = {course.owner_id, *holding.values_list("user", flat=True)}
    new = [user for user in users if user.pk not in holders]
    fields = {"course": course, "source": AccessSource.GRANT, "given_by": given_by}
    fields |= {"reason": reason, "is_reason_told": tell, "created_at": timezone.now()}
    # Somebody may give one of them the same access elsewhere at this moment.
    rows = [Access(user=user, **fields) for user in new]
    Access.objects.bulk_create(rows, ignore_conflicts=True)
    written = Access.objects.active().filter(user__in=new, **fields)
    given = list(written.select_related("user", "course").order_by("id"))
    send_to_each(GIVEN, {access.pk: access.user for access in given}, title=course.title)
    return given


class NewAccess(NamedTuple):
    """A right that is given, with a `reference` that no right ever had."""

    user_id: int
    course_id: int | None
    lesson_id: int | None
    source: AccessSource
    reference: str
    given_by_id: int | None
    created_at: datetime


def grant_new_access(*, accesses: Iterable[NewAccess]) -> None:
    """Give many rights at once. Raises IntegrityError where a reference is not new: then
    `grant_access` is the way."""
    insert_rows(Access, NewAccess._fields, accesses)


@transaction.atomic
def revoke_access(*, reference: str, reason: str) -> bool:
    """Take back the right that came with `reference`, and no other. Returns False if there is none
    that is active."""
    return bool(
        Access.objects.active()
        .filter(reference=reference)
        .update(revoked_at=timezone.now(), revoked_reason=reason)
    )


@transaction.atomic
def take_back(*, access: Access, reason: str, tell: bool = False) -> None:
    """Take back a right that staff or an enrolment gave; `tell` the person, with the reason. Raises
    NotRevocable."""
    access = Access.objects.select_for_update().get(pk=access.pk)
    if not access.is_revocable:
        raise NotRevocable
    access.revoked_at, access.revoked_reason = timezone.now(), reason
    access.save(update_fields=["revoked_at", "revoked_reason"])
    if tell:
        title = access.target.title
        send_to_one(REVOKED, access.user, subject_id=access.pk, key=str(access.pk), title=title)
