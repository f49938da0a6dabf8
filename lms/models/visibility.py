"""Who sees which courses; the querysets of the models beside it are written with these.

The methods that answer this for courses (docs/rules.md, 6.2); for lessons there are `visible_to`,
`open_to`, `outlined_for`, `not_hidden_from` (11.6) and `on_sale_to`:

                      published, of others      own         drafts of others
visible_to            moderators                yes         moderators
published             yes                       published   nobody
open_to_subscribers   yes                       yes         moderators
open_to               by a right, moderators    yes         by a right, moderators
open_in_part_to       the same; also by a right to one of the lessons
not_hidden_from       yes                       yes         as open_in_part_to
on_sale_to            yes                       yes         nobody
"""

from typing import Any, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Exists, OuterRef, ProtectedError, Q
from django.db.models.deletion import Collector

from people.models import User


def sees_all_content(user: User) -> bool:
    """Moderators and administrators see everybody's courses, drafts too."""
    return bool(user.is_superuser or user.is_moderator)


def published_or_own(user: User, prefix: str = "") -> Q:
    """Courses that are not hidden from this person; `prefix` leads to the course."""
    if sees_all_content(user):
        return Q()
    return Q(**{f"{prefix}is_published": True}) | Q(**{f"{prefix}owner": user})


class KeepingQuerySet[M: models.Model](models.QuerySet[M]):
    """Rows of another app with a key to courses or lessons that is `protect_or_set_null`."""

    def keeping(self) -> Self:
        """Those because of which a course or lesson is not deleted, and a lesson not moved."""
        raise NotImplementedError


def protect_or_set_null(
    collector: Collector, field: Any, sub_objs: models.QuerySet[models.Model], using: str
) -> None:
    """An `on_delete`: PROTECT while some of the rows are `keeping()`, SET_NULL when none is."""
    rows = field.model._default_manager.using(using)  # noqa: SLF001 - documented
    kept = rows.filter(pk__in=[row.pk for row in sub_objs]).keeping()
    if kept.exists():
        message = f"{field.model.__name__} keeps what it refers to."
        raise ProtectedError(message, set(kept))
    models.SET_NULL(collector, field, sub_objs, using)


class MaterialQuerySet[M: models.Model](models.QuerySet[M]):
    """Courses or lessons; `owner` leads to who owns the course."""

    owner: str

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """What this person may see in authoring: that of their own courses; moderators: all."""
        if isinstance(user, AnonymousUser):
            return self.none()
        return self if sees_all_content(user) else self.filter(**{self.owner: user})

    def open_to(self, user: User) -> Self:
        """What this person may learn, a course as a whole."""
        raise NotImplementedError

    def with_has_access(self, user: User) -> Self:
        """Answer `has_access`: whether the person may learn it, a course as a whole."""
        opened = type(self)(self.model).open_to(user).filter(pk=OuterRef("pk"))
        return self.annotate(has_access=Exists(opened))
