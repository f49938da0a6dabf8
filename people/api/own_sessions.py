from uuid import UUID

from ninja import Router, Status
from ninja.pagination import paginate

from people.current_user import AuthenticatedRequest
from people.errors import NoSession
from people.schemas import SessionOut
from people.services import sessions
from project.common.api.caching import kept_by_nobody
from project.common.api.openapi import raises
from project.common.api.pagination import ListLike, PageNumberPagination

router = Router()
router.add_decorator(kept_by_nobody, mode="view")


class Listed(list[SessionOut]):
    """Few enough to be put together at once."""

    def count(self, *_value: object) -> int:
        return len(self)


@router.get("", response=list[SessionOut], summary="List your own sessions")
@paginate(PageNumberPagination)
def list_sessions(request: AuthenticatedRequest) -> ListLike:
    """Where the caller is logged in, the session used last first: through this API and, for staff, in
    the admin. A session of this API counts as used when its refresh token was exchanged last."""
    return Listed(
        SessionOut.of(one, is_current=one.pk == request.family_id)
        for one in sessions.sessions_of(request.user)
    )


@router.delete("/{uuid:session_id}", response={204: None}, summary="End one of your own sessions")
@raises(NoSession)
def end_session(request: AuthenticatedRequest, session_id: UUID) -> Status[None]:
    """Its tokens are refused from then on, access tokens too. The present one can be ended like any
    other; `auth/logout/everywhere` ends all. Somebody else's, or one that has ended, gives 404."""
    sessions.end_session(user=request.user, session_id=session_id)
    return Status(204, None)
