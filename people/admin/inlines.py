"""What belongs to a person, on their page. Each app above `lms` has its own section here."""

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from lms.models import Course, Subscription
from people.models import User
from project.common.admin import ReadOnlyInline


class SubscriptionInline(ReadOnlyInline[Subscription, User]):
    model = Subscription
    fields = ("course", "created_at")
    readonly_fields = ("course", "created_at")
    verbose_name_plural = _("subscriptions")

    def has_view_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Whoever may see the person sees what they follow."""
        return True


class CourseInline(ReadOnlyInline[Course, User]):
    model = Course
    fk_name = "owner"
    fields = ("title", "is_published", "price", "updated_at")
    readonly_fields = fields
    show_change_link = True
    verbose_name_plural = _("courses")

    def has_view_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return True
