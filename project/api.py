"""The API: its routers, and the one table that turns errors into statuses."""

import logging
from typing import Any

from django.conf import settings
from django.core.exceptions import (
    ObjectDoesNotExist,
    ObjectNotUpdated,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import InterfaceError, OperationalError
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    RawPostDataException,
    UnreadablePostError,
)
from ninja.errors import AuthenticationError, HttpError, ValidationError
from redis.exceptions import RedisError

from payments.provider.types import (
    InvalidEvent,
    InvalidSignature,
    ProviderBusy,
    ProviderError,
    ProviderMisconfigured,
)
from people.errors import InvalidToken, TokenExpired
from people.tokens import AccessTokenAuth
from project.common.api import messages
from project.common.api.caching import kept_by_its_reader
from project.common.api.documentation import DocumentationPage
from project.common.api.openapi import DescribedAPI
from project.common.api.problems import problem
from project.common.api.query import exact_query
from project.common.api.request_body import (
    JSONParser,
    UnsupportedMediaType,
    bounded_body,
    is_multipart,
)
from project.common.api.responses import JSONRenderer, compressed
from project.common.errors import (
    ChangedMeanwhile,
    Conflict,
    DomainError,
    Missing,
    PaymentRequired,
    Refused,
    Throttled,
    Unauthenticated,
)
from project.common.images import PicturesBusy

logger = logging.getLogger(__name__)

# The nearest class in the order of inheritance decides.
STATUSES: dict[type[Exception], int] = {
    Unauthenticated: 401,
    PaymentRequired: 402,
    Refused: 403,
    Missing: 404,
    Conflict: 409,
    ChangedMeanwhile: 412,
    Throttled: 429,
    InvalidSignature: 400,
    InvalidEvent: 400,
    ProviderError: 502,
    ProviderMisconfigured: 503,
    ProviderBusy: 503,
    PicturesBusy: 503,
    Http404: 404,
    # It was found, and somebody deleted it before it was locked or saved.
    ObjectDoesNotExist: 404,
    ObjectNotUpdated: 404,
    AuthenticationError: 401,
    PermissionDenied: 403,
    RequestDataTooBig: 413,
    SuspiciousOperation: 400,
    UnreadablePostError: 400,
    # A form was sent where JSON is expected, and it has been read as the form it is.
    RawPostDataException: 415,
    OperationalError: 503,
    InterfaceError: 503,
    # The shared cache, where throttles count.
    RedisError: 503,
}


def status_of(error: type[Exception]) -> int:
    """Return the status of an error; KeyError for one that the table doesn't have."""
    return next(STATUSES[kind] for kind in error.__mro__ if kind in STATUSES)


INTRODUCTION = settings.BASE_DIR / "templates/api/introduction.md"
TAGS = {
    "meta": "What an application has to know before anybody has logged in.",
    "auth": "Accounts and tokens: register, log in, stay logged in, forgotten passwords.",
    "users": "People: one's own profile, and what everybody may know of others.",
    "courses": "Authoring: courses with their pictures and history; for authors and moderators.",
    "lessons": "Authoring: the lessons of courses; for authors and moderators.",
    "subscriptions": "Who hears by mail when a course changes.",
    "catalog": "The published courses, for everybody to find.",
    "learning": "What the caller may learn, and how far they have come.",
    "payments": "Buying courses and lessons: in cash, by transfer, through Stripe.",
}

api = DescribedAPI(
    docs=DocumentationPage(),
    title="Parta",
    version="1",
    description=INTRODUCTION.read_text(),
    servers=[{"url": "/", "description": "The host of this document"}],
    openapi_extra={
        "info": {"license": {"name": "MIT", "identifier": "MIT"}},
        "tags": [{"name": name, "description": words} for name, words in TAGS.items()],
    },
    urls_namespace="api",
    auth=AccessTokenAuth(),
    token_errors=(Unauthenticated, InvalidToken, TokenExpired),
    status_of=status_of,
    parser=JSONParser(),
    renderer=JSONRenderer(),
)
api.add_decorator(exact_query, mode="view")
api.add_decorator(bounded_body, mode="view")
# For who asks for it: the pages of courses shrink to an eighth.
api.add_decorator(compressed, mode="view")
api.add_decorator(kept_by_its_reader, mode="view")
api.add_router("/meta", "project.meta.router", tags=["meta"])
api.add_router("/auth", "people.api.auth.router", tags=["auth"])
api.add_router("/users/me/sessions", "people.api.own_sessions.router", tags=["users"])
api.add_router("/users", "people.api.users.router", tags=["users"])
api.add_router("/courses", "lms.api.courses.router", tags=["courses"])
api.add_router("/courses", "payments.api.course_router", tags=["courses"])
api.add_router("/lessons", "lms.api.lessons.router", tags=["lessons"])
api.add_router("/subscriptions", "lms.api.subscriptions.router", tags=["subscriptions"])
api.add_router("/catalog", "lms.api.catalog.router", tags=["catalog"])
api.add_router("/learning", "lms.api.learning.router", tags=["learning"])
api.add_router("/payments", "payments.api.router", tags=["payments"])


@api.exception_handler(DomainError)
def answer_domain_error(request: HttpRequest, error: DomainError) -> HttpResponse:
    return problem(
        status_of(type(error)),
        code=error.code,
        detail=str(error),
        members=error.members,
        retry_after=error.retry_after,
    )


def answer_by_status(request: HttpRequest, error: Any) -> HttpResponse:
    status = status_of(type(error))
    if status >= 500:
        logger.error("The database or the cache did not answer", exc_info=error)
    return problem(status)


for kind in STATUSES:
    if not issubclass(kind, DomainError):
        api.add_exception_handler(kind, answer_by_status)


@api.exception_handler(HttpError)
def answer_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    if isinstance(error.__cause__, UnsupportedMediaType):
        return problem(415)
    return problem(error.status_code)


@api.exception_handler(ValidationError)
def answer_validation_error(request: HttpRequest, error: ValidationError) -> HttpResponse:
    errors = error.errors
    if any(entry["loc"][0] == "file" for entry in errors) and not is_multipart(request):
        return problem(415)
    return problem(422, errors=messages.from_pydantic(errors))


@api.exception_handler(DjangoValidationError)
def answer_model_error(request: HttpRequest, error: DjangoValidationError) -> HttpResponse:
    return problem(422, errors=messages.from_django(error))


@api.exception_handler(Exception)
def answer_unexpected_error(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.error("Unexpected error", exc_info=error)
    if settings.DEBUG_PROPAGATE_EXCEPTIONS:
        raise error
    return problem(500)
