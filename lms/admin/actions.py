"""What staff do with courses by a button."""

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lms import permissions
from lms.models import Course
from lms.services import copying
from people.models import User
from project.common.admin.actions import Answers, StaffAction


def _copy(course: Course, by: User, _answers: Answers) -> SafeString:
    copy = copying.copy_course(course=course, by=by)
    address = reverse("admin:lms_course_change", args=[copy.pk])
    link = format_html('<a class="text-link" href="{}">{}</a>', address, copy)
    return format_html(_("A copy was made: {}"), link)


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
