"""The OpenAPI document and the page that shows it, as they are served."""

import json
from collections.abc import Callable
from functools import cache
from hashlib import blake2b

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.http import quote_etag
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import etag, require_safe
from ninja import NinjaAPI, Swagger


class DocumentationPage(Swagger):
    """Swagger UI, which keeps the token over a reload, finds operations and shows samples of calls."""

    template = "api/docs.html"

    def __init__(self) -> None:
        super().__init__(
            {
                "persistAuthorization": True,
                "filter": True,
                # Closed: to draw all schemas takes longer than the rest.
                "defaultModelsExpandDepth": 0,
                "requestSnippetsEnabled": True,
                "displayRequestDuration": True,
                "syntaxHighlight": {"theme": "tomorrow-night"},
            }
        )


def document_view(api: NinjaAPI) -> Callable[..., HttpResponse]:
    """Ninja's own makes the document anew for each request, which takes the time of a hundred
    others; this one does once, for what it depends on."""

    @cache
    def written(path: str, *, public_catalog: bool) -> tuple[bytes, str]:
        content = json.dumps(api.get_openapi_schema(path_prefix=path)).encode()
        return content, quote_etag(blake2b(content, digest_size=8).hexdigest())

    def current() -> tuple[bytes, str]:
        return written(api.get_root_path({}), public_catalog=settings.PUBLIC_CATALOG)

    @require_safe
    @cache_control(public=True, max_age=60)
    @gzip_page
    @etag(lambda request: current()[1])
    def openapi_document(request: HttpRequest) -> HttpResponse:
        return HttpResponse(current()[0], content_type="application/json")

    return openapi_document
