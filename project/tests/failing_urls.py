"""The real addresses and some that fail."""

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import path

from project import urls
from project.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500"]


def fail(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


def fail_to_connect(request: HttpRequest) -> HttpResponse:
    raise OperationalError


def refuse(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=429)


urlpatterns = [
    path("api/fails", fail),
    *(
        path(f"{area}{name}", view)
        for area in ("", "admin/")
        for name, view in {"fails": fail, "away": fail_to_connect, "often": refuse}.items()
    ),
    *urls.urlpatterns,
]
