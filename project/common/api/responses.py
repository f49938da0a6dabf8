"""How answers are written: addresses of pictures, JSON, and nothing that the client has already."""

from collections.abc import Callable
from functools import lru_cache, wraps
from hashlib import blake2b
from time import time
from typing import Annotated, Any, cast

from django.db.models.fields.files import FieldFile
from django.http import HttpRequest, HttpResponse
from django.utils.http import parse_etags
from django.views.decorators.gzip import gzip_page
from ninja import Header, Status
from ninja.decorators import decorate_view
from ninja.operation import Operation
from ninja.renderers import BaseRenderer
from ninja.utils import contribute_operation_callback
from orjson import OPT_UTC_Z, dumps

from project.common.api.problems import problem
from project.common.images import address_of, stored_picture
from project.common.versions import Expected

# Seconds.
ADDRESSES_KEPT = 1800

ETAG = {"ETag": {"schema": {"type": "string"}, "description": "Changes with the content."}}


def picture_shown(picture: FieldFile | str) -> dict[str, str | int] | None:
    """A stored picture, or the one with this name, as the API shows it; None where there is none."""
    return _shown(str(picture), int(time()) // ADDRESSES_KEPT) if picture else None


@lru_cache(maxsize=10_000)
def _shown(name: str, period: int) -> dict[str, str | int] | None:
    """Kept for a while: the storage takes longer to put an address together than it takes to write the
    rest of a lesson. Addresses that a storage signs end after an hour."""
    if (stored := stored_picture(name)) is None:
        return None
    size = {"width": stored.width, "height": stored.height}
    return {"url": address_of(name), **size, "thumbnail": address_of(stored.thumbnail)}


class JSONRenderer(BaseRenderer):
    """Write responses with orjson; times end in `Z`, as generated validators want them."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: object, *, response_status: int) -> bytes:
        return dumps(data, option=OPT_UTC_Z)


# A tag is `"version.digest"`: which version of the thing it is, and what of it the answer says to
# this caller, such as whether they are subscribed. To know whether a copy is still good, both are
# compared; to know whether somebody else has changed the thing, the version alone.
# Of a compressed answer it ends in this: a tag that Django made weak could not be sent in `If-Match`.
COMPRESSED = "-gzip"

IfMatch = Annotated[
    str,
    Header(
        alias="If-Match",
        description="An `ETag` that was answered before, or several, or `*`: if the thing has another "
        "version now, 412 `changed_meanwhile`, and nothing changes.",
    ),
]


def versions_in(if_match: str) -> Expected:
    """The versions that an `If-Match` is content with. As RFC 9110 says, a weak tag is none of them,
    and `*` stands for any; so does no header at all."""
    tags = parse_etags(if_match)
    if not if_match or tags == ["*"]:
        return None
    return frozenset(tag.strip('"').partition(".")[0] for tag in tags if tag.startswith('"'))


def compressed[View: Callable[..., HttpResponse]](view: View) -> View:
    """Compress answers for who asks for it."""
    zipped = gzip_page(view)

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        response = zipped(request, *args, **kwargs)
        tag = response.get("ETag", "")
        if tag.startswith("W/"):
            response["ETag"] = f'{tag.removeprefix("W/")[:-1]}{COMPRESSED}"'
        return response

    return cast(View, answer)


def tagged[Function: Callable[..., Any]](
    version: Callable[[Any], str] | None = None,
) -> Callable[[Function], Function]:
    """Give the answers of an operation an `ETag`, with the version of what it returned; answer 304
    to a GET by a client that has the same already. Goes below the decorator of the router."""

    def describe(operation: Operation) -> None:
        statuses = [code for code in operation.response_models if code in range(200, 300)]
        responses: dict[int, object] = {code: {"headers": ETAG} for code in statuses}
        if "GET" in operation.methods:
            responses |= {304: {"headers": ETAG}, 412: {}}
        operation.openapi_extra = (operation.openapi_extra or {}) | {"responses": responses}

    def decorate(function: Function) -> Function:
        @wraps(function)
        def noted(request: HttpRequest, *args: object, **kwargs: object) -> object:
            result = function(request, *args, **kwargs)
            shown = result.value if isinstance(result, Status) else result
            if version and shown is not None:
                note_version(request, version(shown))
            return result

        contribute_operation_callback(noted, describe)
        return cast(Function, decorate_view(_with_tag)(noted))

    return decorate


# Of what nobody edits: a tag that changes with the content.
revalidated = tagged()


def note_version(request: HttpRequest, version: str) -> None:
    """For the tag of an answer without content."""
    vars(request)["version"] = version


def _with_tag(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if not 200 <= response.status_code < 300:
            return response
        version = vars(request).get("version", "")
        digest = blake2b(response.content, digest_size=8).hexdigest() if response.content else ""
        tag = f'"{".".join(part for part in (version, digest) if part)}"'
        if request.method == "GET":
            expected = versions_in(request.headers.get("If-Match", ""))
            if expected is not None and (version or digest) not in expected:
                return problem(412)
            known = parse_etags(request.headers.get("If-None-Match", ""))
            if known == ["*"] or tag in {_plain(one) for one in known}:
                response = HttpResponse(status=304)
        response["ETag"] = tag
        return response

    return answer


def _plain(tag: str) -> str:
    return tag.removeprefix("W/").replace(f'{COMPRESSED}"', '"')
