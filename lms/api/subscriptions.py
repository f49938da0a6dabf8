from ninja import Router
from ninja.pagination import paginate

from lms import queries
from lms.schemas.learning import SubscriptionOut
from people.current_user import AuthenticatedRequest
from project.common.api.pagination import PageNumberPagination
from project.common.db.compiled import RowList

router = Router()


@router.get("", response=list[SubscriptionOut], summary="List own subscriptions")
@paginate(PageNumberPagination)
def list_subscriptions(request: AuthenticatedRequest) -> RowList:
    """Courses whose updates the caller hears of, newest first."""
    return queries.list_subscriptions(request.user)
