"""The page of the front, its texts, and the page of addresses that there are not."""

from django.conf import settings
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponsePermanentRedirect,
    HttpResponseRedirect,
)
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import resolve
from django.utils.http import quote_etag
from django.utils.translation import override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from django.views.i18n import JavaScriptCatalog

from project.common.csp import policy_of_front
from project.front.assets import current_assets

FOR_EVER = "public, max-age=31536000, immutable"
catalogue = JavaScriptCatalog.as_view(packages=["project"])


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The one page of the front, whatever its address. A tab compares `ETag` with the one it was opened
    with, and loads itself anew after a deployment. `304` would keep an old nonce: it is never given."""
    if settings.FRONTEND_URL_IS_SET:
        return HttpResponseRedirect(settings.FRONTEND_URL + request.get_full_path())
    assets = current_assets()
    response = render(request, "front/index.html", {"assets": assets})
    response["ETag"] = quote_etag(assets.version)
    response["Cache-Control"] = "no-cache"
    response._csp_config = policy_of_front(request)  # type: ignore[attr-defined]  # noqa: SLF001
    return response


@require_safe
def texts(request: HttpRequest, language: str, version: str) -> HttpResponseBase:
    """What Django's `gettext` for JavaScript knows, by an address that changes with it."""
    if language not in dict(settings.LANGUAGES):
        raise Http404
    with override(language):
        response = catalogue(request)
    response["Content-Language"] = language
    # While a deployment goes on, a new page may ask a process that is still the old one.
    is_current = version == current_assets().version
    response["Cache-Control"] = FOR_EVER if is_current else "no-store"
    return response


@csrf_exempt
def unknown_address(request: HttpRequest) -> HttpResponse:
    """Readable with DEBUG, too. What lacks its last slash is sent there, as Django does by itself where
    no pattern takes all that is left."""
    slashed = resolve(f"{request.path_info}/").func
    if slashed is not unknown_address and request.method in {"GET", "HEAD"}:
        return HttpResponsePermanentRedirect(request.get_full_path(force_append_slash=True))
    return HttpResponse(status=404)
