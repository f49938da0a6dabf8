"""Who sees which courses; the querysets of the models beside it are written with these.

The five methods that answer this for courses (docs/rules.md, 6.2); for lessons there is
`not_hidden_from` besides (11.6):

                      published, of others      own         drafts of others
visible_to            moderators                yes         moderators
published             yes                       published   nobody
open_to_subscribers   yes                       yes         moderators
open_to               by a right, moderators    yes         by a right, moderators
on_sale_to            yes                       yes         nobody
"""

from typing import Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Exists, OuterRef, Q

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
    """Rows of another app with a protected key to courses or lessons."""

    def keeping(self) -> Self:
        """Those because of which a lesson has to stay in its course."""
        raise NotImplementedError


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
