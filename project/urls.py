"""Every address of the application, but the probes: project/health.py answers those earlier."""

from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.static import serve

from lms.views import unsubscribe_by_link
from people.views import download_export
from project.admin_site.languages import choose_language
from project.api import api
from project.common.api.documentation import document_view
from project.front.views import unknown_address
from project.mail import outbox


def serve_picture(request: HttpRequest, path: str, document_root: str) -> HttpResponseBase:
    """To be kept for ever, since names never repeat, and to be read by pages of any origin."""
    response = serve(request, path, document_root=document_root)
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    response["Access-Control-Allow-Origin"] = "*"
    return response


@csrf_exempt
def nothing_here(request: HttpRequest) -> HttpResponse:
    raise Http404


urlpatterns = [
    # Django would redirect from the first to the second, and Ninja ask for a CSRF token there.
    re_path(r"^api/v1/?$", nothing_here),
    path("api/v1/openapi.json", document_view(api)),
    path("api/v1/", api.urls),
    path("payments/", include("payments.urls")),
    path("admin/", include("project.admin_site.urls")),
    path("admin/", admin.site.urls),
    path("unsubscribe/<str:token>/", unsubscribe_by_link, name="unsubscribe"),
    path("exports/<str:token>/", download_export, name="export"),
    # With DEBUG only.
    path("outbox/", include(outbox.urlpatterns)),
    path("i18n/setlang/", choose_language, name="set_language"),
    # With DEBUG only, and for files on disk; in production the proxy or the bucket serves them.
    *static(settings.MEDIA_URL, view=serve_picture, document_root=settings.MEDIA_ROOT),
    path("", include("project.front.urls")),
    re_path("", unknown_address),
]

handler400 = "project.error_pages.bad_request"
handler403 = "project.error_pages.forbidden"
handler404 = "project.error_pages.not_found"
handler500 = "project.error_pages.server_error"
