"""Forms of materials: they check and hand over; the services save."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldBooleanSwitchWidget

from lms import permissions
from lms.models import Course
from project.common.images import clean_image

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[Any]
else:
    _ModelForm = forms.ModelForm


class MaterialsForm(_ModelForm):
    minor_edit = forms.BooleanField(
        label=_("Minor edit"),
        help_text=_("Subscribers are not told of this change."),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
    )

    def clean_preview(self) -> Any:
        """Clean a new picture; None or False (removed) and the present one pass."""
        picture = self.cleaned_data["preview"]
        return clean_image(picture) if isinstance(picture, UploadedFile) else picture

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


class CourseForm(MaterialsForm):
    pass


class LessonForm(MaterialsForm):
    # Set by the admin, which knows who fills the form.
    user: Any = None

    def clean_course(self) -> Course:
        """Refuse to add a lesson to, or move it to, a course where the person may not."""
        course: Course = self.cleaned_data["course"]
        moved = course.pk != self.instance.course_id
        if moved and not permissions.can_add_lesson(self.user, course):
            raise forms.ValidationError(
                _("Lessons are added to one's own course only."), code="permission_denied"
            )
        return course
