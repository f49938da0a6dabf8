"""What courses and lessons have in common, and their history."""

from collections.abc import Collection, Iterable
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from lms.markdown import SUMMARY_MAX_LENGTH, render
from lms.validators import validate_materials
from people.models import User
from project.common.db.searched import Searched, SearchedField
from project.common.versions import version_at

DESCRIPTION_MAX_LENGTH = 20_000
# Where a search looks, in courses and lessons.
SEARCHED_FIELDS = ("title", "description")
# Made of the description.
RENDERED_FIELDS = ("summary", "description_html")


class ChangesOfMaterials(HistoricalRecords):  # type: ignore[misc]
    """Keeps each state that a row had, and who made it. A save of nothing but the times kept
    beside the materials is no change."""

    def post_save(
        self,
        instance: "Material",
        created: bool,  # noqa: FBT001
        using: str | None = None,
        *,
        update_fields: Collection[str] | None = None,
        **kwargs: object,
    ) -> None:
        if update_fields and set(update_fields).issubset(self.excluded_fields):
            return
        # Rows of a fixture are kept too: without their first state no change of them has a before.
        super().post_save(instance, created, using=using, **kwargs | {"raw": False})

    def get_history_user(self, instance: "Material") -> User | None:
        """Whom the service names, wherever it was called from; otherwise whose request it is."""
        return instance.changed_by or super().get_history_user(instance)


class OrderOfLessons(models.Model):
    """Kept with a state of a course if its lessons were put in another order then: their keys."""

    lessons_before = models.JSONField(null=True)
    lessons_after = models.JSONField(null=True)

    class Meta:
        abstract = True


class Material(Searched):
    """A course or a lesson."""

    title = models.CharField(_("title"), max_length=200, validators=[validate_materials])
    description = models.TextField(
        _("description"),
        blank=True,
        max_length=DESCRIPTION_MAX_LENGTH,
        validators=[validate_materials],
    )
    summary = models.CharField(
        max_length=SUMMARY_MAX_LENGTH, blank=True, editable=False, db_default=""
    )
    description_html = models.TextField(blank=True, editable=False, db_default="")
    searched = SearchedField(of=SEARCHED_FIELDS)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("updated"), default=timezone.now, editable=False)

    # Answered by `with_has_access`.
    has_access: bool
    # Set by the services, for the history.
    changed_by: User | None = None

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(condition=~Q(title=""), name="%(class)s_title_not_empty")
        ]

    def __str__(self) -> str:
        return self.title

    def save(self, *, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        if update_fields is not None and "description" in (names := {*update_fields}):
            update_fields = names.union(RENDERED_FIELDS)
        super().save(update_fields=update_fields, **kwargs)

    @property
    def version(self) -> str:
        """Changes with each edit: of a course, also with those of its lessons and their order; of a
        lesson, not when others push it aside."""
        return version_at(self.updated_at)

    @property
    def currency(self) -> str:
        return str(settings.CURRENCY)


def render_description(
    sender: type[Material],
    instance: Material,
    update_fields: frozenset[str] | None,
    **kwargs: object,
) -> None:
    """Before each save, that of a fixture's row too; what writes past it (`update`, `bulk_create`)
    has to call it."""
    if update_fields is None or "description" in update_fields:
        instance.summary, instance.description_html = render(instance.description)
