from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Status
from ninja.pagination import paginate

from lms.api.courses import router as courses_router
from lms.models import Course, Subscription
from lms.schemas import SubscriptionOut, SubscriptionState
from lms.services import subscriptions
from people.current_user import current_user
from project.common.api.pagination import PageNumberPagination

router = Router()


@router.get("", response=list[SubscriptionOut], summary="List own subscriptions")
@paginate(PageNumberPagination)
def list_subscriptions(request: HttpRequest) -> QuerySet[Subscription]:
    """Courses whose updates the caller hears of, newest first."""
    return Subscription.objects.visible_to(current_user(request)).select_related("course")


@courses_router.post(
    "/{int:course_id}/subscription",
    response={200: SubscriptionState, 201: SubscriptionState},
    summary="Subscribe to a course",
    tags=["subscriptions"],
)
def subscribe_to_course(request: HttpRequest, course_id: int) -> Status[dict[str, object]]:
    """To a published course or one's own; 200 if the caller already was subscribed."""
    user = current_user(request)
    course = get_object_or_404(Course.objects.open_to_subscribers(user), pk=course_id)
    created = subscriptions.subscribe(user=user, course=course)
    return Status(201 if created else 200, {"course_id": course.pk, "is_subscribed": True})


@courses_router.delete(
    "/{int:course_id}/subscription",
    response={204: None},
    summary="Unsubscribe from a course",
    tags=["subscriptions"],
)
def unsubscribe_from_course(request: HttpRequest, course_id: int) -> Status[None]:
    """Also answers 204 if there was no subscription."""
    subscriptions.unsubscribe(user=current_user(request), course_id=course_id)
    return Status(204, None)
