from django.db.models import QuerySet
from ninja import Router
from ninja.pagination import paginate

from lms.models import Subscription
from lms.schemas import SubscriptionOut
from people.current_user import AuthenticatedRequest
from project.common.api.pagination import PageNumberPagination

router = Router()


@router.get("", response=list[SubscriptionOut], summary="List own subscriptions")
@paginate(PageNumberPagination)
def list_subscriptions(request: AuthenticatedRequest) -> QuerySet[Subscription]:
    """Courses whose updates the caller hears of, newest first."""
    return Subscription.objects.visible_to(request.user).select_related("course")
