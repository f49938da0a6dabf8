"""Roles: what the groups of the staff are called, and what their members are there for."""

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from django.contrib.auth.models import Group
from django.db import models
from django.utils.translation import gettext_lazy as _

from people.models.querysets import MODERATORS

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class ReadyRole(NamedTuple):
    title: "StrOrPromise"
    may: "StrOrPromise"
    may_not: "StrOrPromise"


# By the names in `fixtures/groups.json`, which has their rights.
READY = {
    MODERATORS: ReadyRole(
        _("Moderators"),
        _(
            "See and edit all courses and lessons, drafts too, and put earlier versions back, "
            "here and through the API."
        ),
        _("Can't create or delete courses and lessons, and see neither people nor payments."),
    ),
    "support": ReadyRole(
        _("Support"),
        _(
            "Find people, write to them, correct their details and add new ones, block and unblock "
            "them, send password resets; give access to courses and revoke it; look through payments and "
            "ask Stripe about them."
        ),
        _(
            "Can't confirm or refund payments, edit courses, erase people, change the accounts of "
            "staff or give roles."
        ),
    ),
    "accountants": ReadyRole(
        _("Accountants"),
        _(
            "Look through, export and import payments, confirm and reject cash and transfers, "
            "refund, settle what was found wrong, close months, and write to buyers about their payments."
        ),
        _("See no pages of people, and can't give access by hand or edit courses."),
    ),
    "content editors": ReadyRole(
        _("Content editors"),
        _("Create courses and lessons here; edit, publish and delete their own."),
        _(
            "See nobody else's courses, people or payments. A moderator who is a content editor as "
            "well still can't create or delete anything."
        ),
    ),
}


def title_of(group: Group) -> str:
    """How people call the group."""
    return str(READY[group.name].title) if group.name in READY else group.name


class Role(Group):
    """A group with a name in the reader's language and words for what its members do."""

    objects: ClassVar["models.Manager[Role]"] = models.Manager()  # type: ignore[assignment]

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("role")
        verbose_name_plural = _("roles")

    def __str__(self) -> str:
        return title_of(self)

    @property
    def is_ready(self) -> bool:
        """Whether it is part of the platform."""
        return self.name in READY

    @property
    def may(self) -> str:
        return str(READY[self.name].may) if self.is_ready else ""

    @property
    def may_not(self) -> str:
        return str(READY[self.name].may_not) if self.is_ready else ""
