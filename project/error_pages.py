"""Outside the API an answer that refuses or fails, and says nothing itself, is a page in the school's
face and the reader's language, with a way back (docs/rules.md, 13.12)."""

import logging
import sys
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import NamedTuple

from django.contrib import admin
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from people.models import User
from project.common.api.problems import API_PREFIX, UNAVAILABLE_FOR
from project.common.logging import request_id

logger = logging.getLogger(__name__)


class Words(NamedTuple):
    title: str
    what: str
    then: str


WORDS = {
    400: Words(
        gettext_noop("This could not be understood"),
        gettext_noop("The address, or what was sent to it, is damaged or incomplete."),
        gettext_noop("Go back, load the page anew and try it once more."),
    ),
    403: Words(
        gettext_noop("This is not open to you"),
        gettext_noop("Your account may not see this page or do this here."),
        gettext_noop("If you need it for your work, ask an administrator of the school."),
    ),
    404: Words(
        gettext_noop("There is no such page"),
        gettext_noop("The address may be misspelt, or what was here is gone."),
        "",
    ),
    405: Words(
        gettext_noop("This address is not opened like this"),
        gettext_noop("It only takes what a page of this site sends there."),
        "",
    ),
    413: Words(
        gettext_noop("That was too much at once"),
        gettext_noop("What you sent is larger than this page takes; nothing was saved."),
        gettext_noop("Go back, and send less: a smaller picture, a shorter text or fewer rows."),
    ),
    429: Words(
        gettext_noop("Too many attempts"),
        gettext_noop("This was tried more often than is allowed in a short time."),
        gettext_noop("Wait a few minutes, and then try it once more."),
    ),
    500: Words(
        gettext_noop("Something went wrong on our side"),
        gettext_noop("It is none of your fault, and has been written down."),
        gettext_noop("Try it again in a minute. If it stays so, tell the school this number:"),
    ),
    503: Words(
        gettext_noop("We will be back in a moment"),
        gettext_noop("The site is out of reach for a short time. What was saved is safe."),
        gettext_noop("Try it again in a minute. If it stays so, tell the school this number:"),
    ),
}
CSRF = Words(
    gettext_noop("This page was open for too long"),
    gettext_noop(
        "Meanwhile somebody has logged in or out in this browser, or it keeps no cookies of this "
        "site. So nothing was done."
    ),
    gettext_noop("Go back, load the page anew and send it once more."),
)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    is_too_large = isinstance(exception, RequestDataTooBig)
    return HttpResponse(status=413 if is_too_large else 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return HttpResponse(status=HTTPStatus.FORBIDDEN)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return HttpResponse(status=HTTPStatus.NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """Say of a database that is away that it will be back."""
    if isinstance(sys.exception(), OperationalError | InterfaceError):
        return HttpResponse(status=503, headers={"Retry-After": str(UNAVAILABLE_FOR)})
    return HttpResponse(status=HTTPStatus.INTERNAL_SERVER_ERROR)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    language = translation.get_language()
    response = HttpResponse(status=HTTPStatus.FORBIDDEN, headers={"Content-Language": language})
    draw(request, response, CSRF)
    return response


# What can be said where the templates, or what they read, are broken, too.
PLAIN = """<!doctype html>
<html lang="{}">
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{}</title>
<h1>{}</h1>
<p>{}</p>
<p>{} {}</p>
"""


class ErrorPageMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        status, is_api = response.status_code, request.path_info.startswith(API_PREFIX)
        if status >= 400 and not (is_api or response.streaming or response.content):
            draw(request, response, WORDS.get(status, WORDS[500 if status >= 500 else 400]))
        return response


def draw(request: HttpRequest, response: HttpResponse, words: Words) -> None:
    """Staff who are logged in keep the menu, unless the server fails: then little is certain."""
    has_failed = response.status_code >= 500
    has_menu = not has_failed and getattr(request, "proof", None) and request.user.is_staff
    language = response.get("Content-Language") or translation.get_language_from_request(request)
    with translation.override(language):
        title, what, then = (text and _(text) for text in words)
        number = request_id.get() if has_failed else ""
        said = {"title": title, "what": what, "then": then, "number": number}
        try:
            ways = list(ways_on(request, has_failed=has_failed))
            context = (admin.site.each_context(request) if has_menu else {}) | said | {"ways": ways}
            if has_menu and words is WORDS[403]:
                context["whom_to_ask"] = User.objects.whom_to_ask()
            template = "admin/error.html" if has_menu else "error.html"
            response.content = render_to_string(template, context, request)
        except Exception:  # whatever is broken, people are told
            logger.exception("The page of an error could not be drawn")
            response.content = format_html(PLAIN, language, title, title, what, then, number)
    del response["Content-Length"]
    response["Content-Type"] = "text/html; charset=utf-8"
    response["Content-Language"] = language
    add_never_cache_headers(response)


def ways_on(request: HttpRequest, *, has_failed: bool) -> Iterator[tuple[str, str]]:
    """Addresses, and what is written on the way there."""
    here = request.get_full_path()
    if has_failed and request.method == "GET":
        yield here, _("Try again")
    site = f"//{request.META.get('HTTP_HOST')}"
    _scheme, _site, back = request.headers.get("Referer", "").partition(site)
    if back.startswith("/") and back != here and url_has_allowed_host_and_scheme(back, None):
        yield back, _("Back")
    dashboard = reverse("admin:index")
    if request.path.startswith(dashboard):
        yield dashboard, _("To the dashboard")
    else:
        yield "/", _("To the start page")
