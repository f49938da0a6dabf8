"""The Content-Security-Policy: strict everywhere, the admin with what Unfold needs."""

from functools import cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.core.files.storage import storages
from django.http import HttpRequest, HttpResponse
from django.middleware.csp import ContentSecurityPolicyMiddleware as DjangoMiddleware
from django.urls import reverse
from django.utils.csp import CSP

STRICT_CSP: dict[str, list[str]] = {
    "default-src": [CSP.SELF],
    "base-uri": [CSP.SELF],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    "object-src": [CSP.NONE],
    "img-src": [CSP.SELF, "data:"],
    "script-src": [CSP.SELF],
    # Pages for people have the school's colour in a style of their own.
    "style-src": [CSP.SELF, CSP.NONCE],
}
# Unfold's pages need Alpine, which evaluates expressions, and inline styles; no inline script.
ADMIN_CSP = STRICT_CSP | {
    "script-src": [CSP.SELF, CSP.UNSAFE_EVAL],
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
}


class ContentSecurityPolicyMiddleware(DjangoMiddleware):
    """Django's own, with `ADMIN_CSP` for the pages of the admin."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if not hasattr(response, "_csp_config"):
            is_admin = request.path.startswith(reverse("admin:index"))
            policy = _policy(settings.STORAGE_URL, is_admin=is_admin)
            response._csp_config = policy  # type: ignore[attr-defined]  # noqa: SLF001
        return super().process_response(request, response)


@cache
def _policy(storage_url: str, *, is_admin: bool) -> dict[str, list[str]]:
    """Pages show pictures, the school's logo at least, from where they are stored, and from nowhere
    else."""
    policy = ADMIN_CSP if is_admin else STRICT_CSP
    if not storage_url:
        return policy
    # Only the storage knows where a bucket is reached: in the path or as a part of the host.
    place = urlsplit(storages["default"].url("a.jpg"))
    return policy | {"img-src": [*policy["img-src"], _origin(place)]}


def _origin(place: SplitResult) -> str:
    return f"{place.scheme}://{place.netloc}"


def policy_of_front(request: HttpRequest) -> dict[str, list[str]]:
    """For the page of the front: its import map is a script of its own, and lessons embed videos."""
    policy = _policy(settings.STORAGE_URL, is_admin=False)
    # The API names pictures by SITE_URL, also if the page is reached by another name.
    site = urlsplit(settings.SITE_URL)
    is_named = site.netloc == request.get_host()
    pictures = policy["img-src"] if is_named else [*policy["img-src"], _origin(site)]
    return policy | {
        "img-src": pictures,
        "script-src": [*policy["script-src"], CSP.NONCE],
        "frame-src": ["https://www.youtube-nocookie.com"],
    }


def policy_of_letter() -> dict[str, Any]:
    """For the HTML of an email, which people's words are in: it is drawn, shows our own pictures, and
    does nothing."""
    pictures = _policy(settings.STORAGE_URL, is_admin=True)["img-src"]
    nothing = {name: [CSP.NONE] for name in ("default-src", "base-uri", "form-action")}
    drawn = {"img-src": pictures, "style-src": [CSP.UNSAFE_INLINE]}
    return nothing | drawn | {"frame-ancestors": [CSP.SELF], "sandbox": True}
