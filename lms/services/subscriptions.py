"""Following the updates of a course."""

from django.db import transaction

from lms.models import Course, Subscription
from people.models import User


@transaction.atomic
def subscribe(*, user: User, course: Course) -> bool:
    """Subscribe a person to updates of a course. Returns False if they already were."""
    course = Course.objects.protected_from_deletion().get(pk=course.pk)
    _subscription, created = Subscription.objects.get_or_create(user=user, course=course)
    return created


def unsubscribe(*, user: User, course_id: int) -> None:
    """End a subscription; nothing happens if there is none."""
    Subscription.objects.filter(user=user, course__id=course_id).delete()
