"""What authors did of late, for those who look after everybody's courses."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from lms.admin.diffs import KINDS
from lms.admin.materials import person_label
from lms.history import Edited, edited_by_others
from lms.models.visibility import sees_all_content
from lms.services import restoring
from people.current_user import current_user
from project.admin_site.menu import admin_of
from project.common.frontend import course_page

LATELY = timedelta(days=7)
SHOWN = 8


@dataclass(frozen=True)
class News:
    """A course with its last change, and what can be done about it."""

    edited: Edited
    by: str
    since: datetime

    @property
    def is_new(self) -> bool:
        return self.edited.course.created_at >= self.since

    @property
    def kind(self) -> str:
        return str(KINDS[self.edited.last.kind])

    @property
    def url(self) -> str:
        return admin_of("lms.Course").url("change", self.edited.course.pk)

    @property
    def history_url(self) -> str:
        return admin_of("lms.Course").url("history", self.edited.course.pk)

    @property
    def put_back_url(self) -> str:
        last = self.edited.last
        if not restoring.can_be_put_back(last):
            return ""
        model, pk = (
            ("lesson", last.lesson_id) if last.lesson_id else ("course", self.edited.course.pk)
        )
        return reverse(f"admin:lms_{model}_put_back", args=[pk, last.id])

    @property
    def front_url(self) -> str:
        return course_page(self.edited.course.pk)


def news_of(request: HttpRequest) -> list[News] | None:
    """None: this person does not look after others' courses."""
    user = current_user(request)
    if not (
        sees_all_content(user) and admin_of("lms.Course").has_view_or_change_permission(request)
    ):
        return None
    since = timezone.now() - LATELY
    edited = edited_by_others(user, since=since, most=SHOWN)
    return [News(one, person_label(user, one.last.by), since) for one in edited]
