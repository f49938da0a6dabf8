"""Forms of materials: they check and hand over; the services save."""

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldBooleanSwitchWidget

from lms import permissions
from lms.admin.markdown import MarkdownWidget
from lms.models import Course, Lesson
from lms.services import authoring
from people.models import User
from project.common.admin.amounts import AmountField, AmountInput
from project.common.admin.fields import TextField
from project.common.admin.versions import VersionedForm


class MaterialsForm(VersionedForm):
    class Meta:
        field_classes: ClassVar = {"description": TextField, "price": AmountField}
        widgets: ClassVar = {"description": MarkdownWidget, "price": AmountInput}
        help_texts: ClassVar = {
            "video_url": _("A video or playlist on YouTube; no other site is possible."),
            "preview": _(
                "Stands at the title, in lists too. JPEG, PNG or WebP; a photograph of a phone is made "
                "smaller by itself."
            ),
        }

    minor_edit = forms.BooleanField(
        label=_("Minor edit"),
        help_text=_("Subscribers will not be notified of this change."),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(self.instance, Lesson) and "is_published" in self.fields:
            self.fields["is_published"].show_hidden_initial = True

    def clean_is_published(self) -> bool:
        """A page of an earlier release has no such box for lessons: that unpublishes none."""
        name = "is_published"
        return bool(self.cleaned_data[name] if name in self.changed_data else self[name].initial)

    def _get_validation_exclusions(self) -> set[str]:
        """What is from the time before a rule, as a price before a limit, may stay as it is."""
        unchanged = set(self.fields) - set(self.changed_data) if self.instance.pk else set()
        # Django's stubs don't know it.
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return excluded | unchanged

    @property
    def notify(self) -> bool:
        """What the page says, for the rows on it as well."""
        return "minor_edit" not in self.data

    def changes(self) -> dict[str, Any]:
        """What a service has to change: all that was changed here, except the picture."""
        names = set(self.changed_data) - {"minor_edit", "preview"}
        return {name: self.cleaned_data[name] for name in names}

    def fields_of_new(self) -> dict[str, Any]:
        """What a service needs for a new row, except the picture."""
        names = set(self.cleaned_data) - {"minor_edit", "preview"}
        return {name: self.cleaned_data[name] for name in names}


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
