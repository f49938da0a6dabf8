"""What courses and lessons have in common, and their history."""

from collections.abc import Collection
from typing import Any, override

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from lms.markdown import SUMMARY_MAX_LENGTH, render
from lms.models.fields import TitleField
from lms.validators import validate_description, validate_title
from people.models import User
from people.throttles import limit_texts
from project.common.db.derived import DerivedField, DerivedModel
from project.common.db.searched import SearchedField
from project.common.texts import NO_LINE
from project.common.versions import version_at

DESCRIPTION_MAX_LENGTH = 20_000
# Where a search looks, in courses and lessons.
SEARCHED_FIELDS = ("title", "description")
# Made of the description, as `render` names them.
RENDERED_FIELDS = ("summary", "description_html")
# No edit is told by these.
DERIVED_FIELDS = (*RENDERED_FIELDS, "searched")


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


class State(models.Model):
    """A state in the history. Each keeps all texts of the row, so they count for who made it."""

    title: str
    description: str
    history_type: str
    history_user: User | None

    class Meta:
        abstract = True

    @override
    def save(self, **options: Any) -> None:
        """Raises Throttled."""
        if self.history_user and self.history_type != "-":
            limit_texts(self.history_user, [self.kept_texts()])
        super().save(**options)

    def kept_texts(self) -> tuple[str, ...]:
        return self.title, self.description


class StateOfCourse(State):
    """It also keeps how the lessons were put in another order, if they were: their keys."""

    lessons_before = models.JSONField(null=True)
    lessons_after = models.JSONField(null=True)

    class Meta:
        abstract = True

    @override
    def kept_texts(self) -> tuple[str, ...]:
        return *super().kept_texts(), str(self.lessons_before), str(self.lessons_after)


class RenderedField(DerivedField):
    """A part of what the description is rendered to, by its name."""

    @override
    def derive(self, row: models.Model) -> str:
        assert isinstance(row, Material)  # noqa: S101 - no other has it
        text: str = getattr(render(row.description), self.attname)
        return text


class SummaryField(RenderedField, models.CharField):  # type: ignore[type-arg]
    pass


class HTMLField(RenderedField, models.TextField):  # type: ignore[type-arg]
    pass


class Material(DerivedModel):
    """A course or a lesson."""

    title = TitleField(_("title"), max_length=200, validators=[validate_title])
    description = models.TextField(
        _("description"),
        blank=True,
        max_length=DESCRIPTION_MAX_LENGTH,
        validators=[validate_description],
    )
    summary = SummaryField(of=["description"], max_length=SUMMARY_MAX_LENGTH)
    description_html = HTMLField(of=["description"])
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
            models.CheckConstraint(condition=~Q(title=""), name="%(class)s_title_not_empty"),
            models.CheckConstraint(
                condition=~Q(title__regex=NO_LINE), name="%(class)s_title_one_line"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def version(self) -> str:
        """Changes with each edit: of a course, also with those of its lessons and their order; of a
        lesson, not when others push it aside."""
        return version_at(self.updated_at)

    @property
    def currency(self) -> str:
        return str(settings.CURRENCY)
