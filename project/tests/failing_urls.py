"""The real addresses and two that fail."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from project import urls
from project.urls import handler400, handler500

__all__ = ["handler400", "handler500"]


def fail(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


urlpatterns = [path("api/fails", fail), path("fails", fail), *urls.urlpatterns]
