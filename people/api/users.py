from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from ninja import File, Query, Router, Status, UploadedFile
from ninja.pagination import paginate
from pydantic import InstanceOf

from people import permissions
from people.api.loaders import get_person
from people.current_user import AuthenticatedRequest
from people.errors import EmailTaken, LastAdministrator
from people.models import User
from people.models.querysets import UserQuerySet
from people.schemas import EmailChangeIn, ProfileChanges, ProfileOut, PublicProfileOut, UserFilters
from people.services import accounts, emails, exports
from people.services.exports import EmailUnconfirmed, ExportRunning
from people.throttles import limit_confirmation, limit_creation, limit_password_change
from project.common.api.caching import kept_by_nobody
from project.common.api.openapi import raises
from project.common.api.pagination import PageNumberPagination
from project.common.api.responses import IfMatch, note_version, tagged, versions_in
from project.common.api.uploads import read_upload
from project.common.errors import Throttled
from project.common.images import AVATAR, PicturesBusy

router = Router()
router.add_decorator(kept_by_nobody, mode="view")
with_tag = tagged(lambda person: person.version)


@router.get("", response=list[PublicProfileOut], summary="List people")
@paginate(PageNumberPagination)
def list_users(request: AuthenticatedRequest, filters: Query[UserFilters]) -> QuerySet[User]:
    """Public profiles of all active people who let themselves be listed, in order of registration."""
    people: UserQuerySet = User.objects.visible_to(request.user).listed()
    if filters.search:
        people = people.matching(filters.search)
    return people.order_by("id")


@router.get("/me", response=ProfileOut, summary="Read your own profile")
@with_tag
def get_own_profile(request: AuthenticatedRequest) -> User:
    """Everything about the caller, with the latest payments, newest first."""
    return request.user


# Instances, which are written as they are: Pydantic would choose a form by what it finds in the data.
type EitherProfileOut = InstanceOf[ProfileOut] | InstanceOf[PublicProfileOut]


@router.get("/{int:user_id}", response=EitherProfileOut, summary="Read a person's profile")
@tagged()
def get_user(request: AuthenticatedRequest, user_id: int) -> ProfileOut | PublicProfileOut:
    """Your own profile is shown in full (`ProfileOut`), everybody else's only in its public part
    (`PublicProfileOut`), even to moderators. A blocked or erased account gives 404."""
    person = get_person(request.user, user_id)
    note_version(request, person.version)
    in_full = permissions.can_read_in_full(request.user, person)
    return ProfileOut.model_validate(person) if in_full else PublicProfileOut.model_validate(person)


@router.patch(
    "/{int:user_id}",
    response=ProfileOut,
    summary="Change your own profile",
)
@raises(PermissionDenied, Throttled)
@with_tag
def update_user(
    request: AuthenticatedRequest, user_id: int, payload: ProfileChanges, if_match: IfMatch = ""
) -> User:
    """Only the given fields change. Somebody else's profile gives 403, whoever asks."""
    person = get_person(request.user, user_id, to=permissions.can_change_profile)
    limit_creation(request.user, "PROFILE")
    changes = payload.model_dump(exclude_unset=True)
    return accounts.update_profile(user=person, changes=changes, expected=versions_in(if_match))


@router.delete(
    "/{int:user_id}",
    response={204: None},
    summary="Erase your own account",
)
@raises(PermissionDenied, LastAdministrator)
def delete_user(
    request: AuthenticatedRequest, user_id: int, if_match: IfMatch = ""
) -> Status[None]:
    """This can't be undone: name, email, phone, city and avatar are erased, subscriptions end, and
    no token works any more. Payments stay in the books, and courses with those who bought them. The
    email can be registered again. Somebody else's account gives 403, the last administrator 409
    `last_administrator`."""
    person = get_person(request.user, user_id, to=permissions.can_change_profile)
    accounts.erase_account(user=person, expected=versions_in(if_match))
    return Status(204, None)


@router.post("/me/email", response={202: None}, summary="Change your own email")
@raises(EmailTaken, Throttled)
def change_email(request: AuthenticatedRequest, payload: EmailChangeIn) -> Status[None]:
    """Sends a link to `/email/{uid}/{token}` of the front end to the new email, and a notice to the present
    one if it is confirmed. The email changes when the link is confirmed; until then a new password, or a
    log-out on all devices, ends the link. The present email itself ends it, too. A wrong password gives
    422, an email that somebody has 409 `email_taken`. An email gets one such link in a day: 429 with
    `Retry-After`."""
    user = request.user
    limit_password_change(user)
    limit_confirmation(request, user)
    emails.request_change(user=user, email=payload.email, password=payload.password)
    return Status(202, None)


@router.post("/me/export", response={202: None}, summary="Request a copy of your data")
@raises(EmailUnconfirmed, ExportRunning, Throttled)
def request_export(request: AuthenticatedRequest) -> Status[None]:
    """Sends a mail with a link to a ZIP of all that is kept about the caller, once it is put together:
    JSON files and pictures. The link needs no log-in and is good for seven days. A new request ends
    the link of the last one. While one is under way: 409 `export_running`;
    unless the email is confirmed: 409 `email_unconfirmed`."""
    limit_creation(request.user, "EXPORTS")
    exports.request_export(user=request.user)
    return Status(202, None)


@router.put("/me/avatar", response=ProfileOut, summary="Set your own avatar")
@raises(PicturesBusy, Throttled)
@with_tag
def set_avatar(
    request: AuthenticatedRequest, file: File[UploadedFile], if_match: IfMatch = ""
) -> User:
    """JPEG, PNG or WebP, up to 5 MiB and 25 megapixels. Kept is a square WebP of at most 512 pixels,
    without metadata, and a thumbnail."""
    limit_creation(request.user, "PICTURES")
    expected = versions_in(if_match)
    return accounts.set_avatar(
        user=request.user, picture=read_upload(file, AVATAR), expected=expected
    )


@router.delete("/me/avatar", response={204: None}, summary="Remove your own avatar")
@with_tag
def delete_avatar(request: AuthenticatedRequest, if_match: IfMatch = "") -> Status[None]:
    """Also answers 204 if there was none."""
    expected = versions_in(if_match)
    person = accounts.set_avatar(user=request.user, picture=None, expected=expected)
    note_version(request, person.version)
    return Status(204, None)
