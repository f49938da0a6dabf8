"""The Content-Security-Policy: strict everywhere, the admin with what Unfold needs."""

from functools import cache
from urllib.parse import urlsplit

from django.conf import settings
from django.core.files.storage import storages
from django.http import HttpRequest, HttpResponse
from django.middleware.csp import ContentSecurityPolicyMiddleware as DjangoMiddleware
from django.urls import reverse


class ContentSecurityPolicyMiddleware(DjangoMiddleware):
    """Django's own, with `ADMIN_CSP` for the pages of the admin."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if request.path.startswith(reverse("admin:index")) and not hasattr(response, "_csp_config"):
            response._csp_config = _admin_policy(settings.STORAGE_URL)  # type: ignore[attr-defined]  # noqa: SLF001
        return super().process_response(request, response)


@cache
def _admin_policy(storage_url: str) -> dict[str, list[str]]:
    """The admin shows pictures from where they are stored, and from nowhere else."""
    policy: dict[str, list[str]] = settings.ADMIN_CSP
    if not storage_url:
        return policy
    # Only the storage knows where a bucket is reached: in the path or as a part of the host.
    place = urlsplit(storages["default"].url("a.jpg"))
    return policy | {"img-src": [*policy["img-src"], f"{place.scheme}://{place.netloc}"]}
