"""Every address of the application, but the probes: project/health.py answers those earlier."""

from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path

from lms.views import unsubscribe_by_link
from project.api import api

urlpatterns = [
    path("api/v1/", api.urls),
    path("payments/", include("payments.urls")),
    path("admin/", admin.site.urls),
    path("unsubscribe/<str:token>/", unsubscribe_by_link, name="unsubscribe"),
    path("i18n/", include("django.conf.urls.i18n")),
    # With DEBUG only, and for files on disk; in production the proxy or the bucket serves them.
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
]

handler400 = "project.common.problems.bad_request"
