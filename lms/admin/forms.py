"""Forms of materials: they check and hand over; the services save."""

from typing import TYPE_CHECKING, Any, ClassVar, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.forms.formsets import DELETION_FIELD_NAME
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldBooleanSwitchWidget

from lms import permissions
from lms.admin.markdown import MarkdownWidget
from lms.models import Course, Lesson
from lms.services import authoring
from people.models import User
from project.common.admin.fields import TextField
from project.common.admin.versions import SEEN, VersionedForm, entered, show_saved

if TYPE_CHECKING:
    from django.http import QueryDict

    _ModelForm = forms.ModelForm[Any]
    _LessonFormSet = forms.BaseInlineFormSet[Lesson, Course, _ModelForm]
else:
    _ModelForm = forms.ModelForm
    _LessonFormSet = forms.BaseInlineFormSet


class PricedForm(_ModelForm):
    class Meta:
        help_texts: ClassVar = {
            "video_url": _("A video or playlist on YouTube; no other site is possible."),
            "preview": _(
                "Stands at the title, in lists too. JPEG, PNG or WebP; a photograph of a phone is made "
                "smaller by itself."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if price := self.fields.get("price"):
            currency = _("Currency: %(currency)s.") % {"currency": settings.CURRENCY}
            price.help_text = f"{currency} {price.help_text}"
        if isinstance(self.instance, Lesson) and "is_published" in self.fields:
            self.fields["is_published"].show_hidden_initial = True

    def clean_is_published(self) -> bool:
        """A page of an earlier release has no such box for lessons: that unpublishes none."""
        name = "is_published"
        return bool(self.cleaned_data[name] if name in self.changed_data else self[name].initial)

    def clean_DELETE(self) -> bool:  # noqa: N802 - named after the field of a row
        """What is refused here stays a row, with the reason: Django would name rows of payments."""
        is_deleted: bool = self.cleaned_data[DELETION_FIELD_NAME]
        if is_deleted and self.instance.pk and authoring.is_kept(self.instance):
            error = authoring.HasPayments(self.instance)
            self.add_error(None, ValidationError(str(error), code=error.code))
            # What is marked for deletion is covered, the reason too.
            data = cast("QueryDict", self.data).copy()
            del data[self.add_prefix(DELETION_FIELD_NAME)]
            self.data = data
            return False
        return is_deleted

    def _get_validation_exclusions(self) -> set[str]:
        """What is from the time before a rule, as a price before a limit, may stay as it is."""
        unchanged = set(self.fields) - set(self.changed_data) if self.instance.pk else set()
        # Django's stubs don't know it.
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        # Rows that were dragged stand in each other's places until all of them are saved.
        return excluded | unchanged | {"position"}


class MaterialsForm(PricedForm, VersionedForm):
    class Meta(PricedForm.Meta):
        field_classes: ClassVar = {"description": TextField}
        widgets: ClassVar = {"description": MarkdownWidget}

    minor_edit = forms.BooleanField(
        label=_("Minor edit"),
        help_text=_("Subscribers will not be notified of this change."),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
    )

    @property
    def notify(self) -> bool:
        return not self.cleaned_data.get("minor_edit")

    def changes(self) -> dict[str, Any]:
        """What a service has to change: all that was changed here, except the picture."""
        names = set(self.changed_data) - {"minor_edit", "preview"}
        return {name: self.cleaned_data[name] for name in names}

    def fields_of_new(self) -> dict[str, Any]:
        """What a service needs for a new row, except the picture."""
        names = set(self.cleaned_data) - {"minor_edit", "preview"}
        return {name: self.cleaned_data[name] for name in names}


class LessonFormSet(_LessonFormSet):
    """Leaves out lessons that are gone since the page was opened, so that the rest can be saved; not
    without telling what was entered for them."""

    def clean(self) -> None:
        """Show what is saved in the rows of a page that is out of date; its form refuses the save."""
        super().clean()
        seen = self.data.get(SEEN)
        if seen and seen != self.instance.version:
            for row in self.initial_forms:
                show_saved(row)
        lost = {row: "; ".join(map(": ".join, entered(row))) for row in self.gone}
        message = _(
            "“%(lesson)s” is no longer in this course, so nothing was saved. You had entered: "
            "%(entered)s. Saving again leaves it out."
        )
        if any(lost.values()):
            raise ValidationError(
                [
                    ValidationError(
                        message, params={"lesson": row.initial["title"], "entered": text}
                    )
                    for row, text in lost.items()
                    if text
                ]
            )

    @property
    def is_dragged(self) -> bool:
        return any("position" in row.changed_data for row in self.initial_forms)

    def order(self) -> list[int]:
        """The lessons as they were put in order, then those that the page did not show."""
        kept = [row for row in self.initial_forms if row not in self.deleted_forms]
        kept.sort(key=lambda row: int(row.cleaned_data["position"]))
        known = [row.instance.pk for row in kept]
        others = self.instance.lessons.exclude(pk__in=known).order_by("position", "id")
        return [*known, *others.values_list("pk", flat=True)]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The rows of lessons that are not in the course any more.
        self.gone: list[_ModelForm] = []
        if self.is_bound:
            self._leave_out_gone()

    def _leave_out_gone(self) -> None:
        there = {str(lesson.pk) for lesson in self.get_queryset()}
        total, known = self.total_form_count(), self.initial_form_count()
        gone = {n for n in range(known) if self.data.get(self._name(n, "id"), "") not in there}
        if not gone:
            return
        self.gone = [self._gone_row(number) for number in sorted(gone)]
        kept = [number for number in range(total) if number not in gone]
        numbers = {str(old): str(new) for new, old in enumerate(kept)}
        sent = cast("QueryDict", self.data)
        data = sent.copy()
        for name in [name for name in data if name.startswith(f"{self.prefix}-")]:
            number, _dash, field = name.removeprefix(f"{self.prefix}-").partition("-")
            if number.isdecimal():
                del data[name]
                if number in numbers:
                    data.setlist(self._name(numbers[number], field), sent.getlist(name))
        data[f"{self.prefix}-TOTAL_FORMS"] = str(len(kept))
        data[f"{self.prefix}-INITIAL_FORMS"] = str(known - len(gone))
        self.data = data
        del self.management_form  # it has read the old ones

    def _gone_row(self, number: int) -> _ModelForm:
        key = self.data.get(self._name(number, "id"), "")
        last = Lesson.history.filter(id=key).first() if key.isdecimal() else None
        lesson = last.instance if last else Lesson()
        return self.form(self.data, prefix=self.add_prefix(number), instance=lesson)

    def _name(self, number: int | str, field: str) -> str:
        return f"{self.prefix}-{number}-{field}"


class LessonForm(MaterialsForm):
    # Set by LessonAdmin.
    user: User

    def clean_course(self) -> Course:
        """Refuse to add a lesson to, or move it to, a course where the person may not."""
        course: Course = self.cleaned_data["course"]
        moved = course.pk != self.instance.course_id
        if moved and not permissions.can_add_lesson(self.user, course):
            raise forms.ValidationError(
                _("You can only add lessons to your own courses."), code="permission_denied"
            )
        if moved and self.instance.pk and authoring.is_kept(self.instance):
            raise forms.ValidationError(authoring.LessonKept.message, code="has_payments")
        return course
