"""What staff do with courses by a button."""

from django import forms
from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lms import permissions
from lms.models import Course
from lms.services import authoring, copying
from people.models import User
from project.common.admin.actions import StaffAction
from project.common.admin.filters import select_from
from project.common.admin.forms import Answers


def _copy(course: Course, by: User, _answers: Answers) -> SafeString:
    copy = copying.copy_course(course=course, by=by)
    address = reverse("admin:lms_course_change", args=[copy.pk])
    link = format_html('<a class="text-link" href="{}">{}</a>', address, copy)
    return format_html(_("A copy was made: {}"), link)


class OwnerForm(forms.Form):
    owner = forms.ModelChoiceField(
        label=gettext_lazy("New author"),
        queryset=User.objects.active(),
        widget=select_from("admin:lms_access_people")(Course._meta.get_field("owner"), admin.site),
        error_messages={"invalid_choice": gettext_lazy("This account is blocked.")},
    )


CHANGE_OWNER = StaffAction[Course](
    name="change_owner",
    title=gettext_lazy("Change the author"),
    icon="person_edit",
    explanation=gettext_lazy(
        "The new author may do all that the present one may, who will only see what learners see. Learners, "
        "subscribers and payments stay. Nobody gets an email."
    ),
    allows=permissions.can_change_owner,
    form=OwnerForm,
    run=lambda course, by, answers: authoring.change_owner(course=course, by=by, **answers),
    noted=lambda answers: str(answers["owner"]),
    done=gettext_lazy("%(rows)s: the author was changed."),
    on_list=True,
    under_more=True,
)
COPY = StaffAction[Course](
    name="copy",
    title=gettext_lazy("Copy"),
    icon="content_copy",
    explanation=gettext_lazy(
        "You will get a draft of your own with the same texts, videos, pictures, prices and lessons. "
        "Learners, subscribers, payments and earlier changes stay with the original, and nobody gets an email."
    ),
    allows=lambda user: permissions.can_create_course(user) and user.has_perm("lms.add_course"),
    allows_with=permissions.can_copy_course,
    run=_copy,
    on_list=True,
)
