"""The Content-Security-Policy: strict everywhere, the admin with what Unfold needs."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csp import ContentSecurityPolicyMiddleware as DjangoMiddleware
from django.urls import reverse


class ContentSecurityPolicyMiddleware(DjangoMiddleware):
    """Django's own, with `ADMIN_CSP` for the pages of the admin."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if request.path.startswith(reverse("admin:index")) and not hasattr(response, "_csp_config"):
            response._csp_config = settings.ADMIN_CSP  # type: ignore[attr-defined]  # noqa: SLF001
        return super().process_response(request, response)
