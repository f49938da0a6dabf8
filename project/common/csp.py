"""The Content-Security-Policy: strict everywhere, the admin with what Unfold needs."""

from functools import cache
from urllib.parse import urlsplit

from django.conf import settings
from django.core.files.storage import storages
from django.http import HttpRequest, HttpResponse
from django.middleware.csp import ContentSecurityPolicyMiddleware as DjangoMiddleware
from django.urls import reverse
from django.utils.csp import CSP

# The setting.
SECURE_CSP: dict[str, list[str]] = {
    "default-src": [CSP.SELF],
    "base-uri": [CSP.SELF],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    "object-src": [CSP.NONE],
    "img-src": [CSP.SELF, "data:"],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
}
# Unfold's pages need Alpine, which evaluates expressions, and inline styles; no inline script.
ADMIN_CSP = SECURE_CSP | {
    "script-src": [CSP.SELF, CSP.UNSAFE_EVAL],
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
}


class ContentSecurityPolicyMiddleware(DjangoMiddleware):
    """Django's own, with `ADMIN_CSP` for the pages of the admin."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if request.path.startswith(reverse("admin:index")) and not hasattr(response, "_csp_config"):
            response._csp_config = _admin_policy(settings.STORAGE_URL)  # type: ignore[attr-defined]  # noqa: SLF001
        return super().process_response(request, response)


@cache
def _admin_policy(storage_url: str) -> dict[str, list[str]]:
    """The admin shows pictures from where they are stored, and from nowhere else."""
    if not storage_url:
        return ADMIN_CSP
    # Only the storage knows where a bucket is reached: in the path or as a part of the host.
    place = urlsplit(storages["default"].url("a.jpg"))
    return ADMIN_CSP | {"img-src": [*ADMIN_CSP["img-src"], f"{place.scheme}://{place.netloc}"]}
