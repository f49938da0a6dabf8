"""`/outbox/`: the mails of a development machine, which are kept as files instead of being sent. They are in
the private storage, so that the page of the web server shows what the worker wrote.

Whoever opens a page may follow each link, so there are no pages but with DEBUG.
"""

import sys
import time
from collections.abc import Callable, Sequence
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.files.storage import storages
from django.core.mail.backends.base import BaseEmailBackend
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from project.common.kept_files import files_in, keep_file
from project.common.texts import one_line
from project.mail.frames import framed_letter

FOLDER = "outbox"
MAILS_AT_MOST = 100
# A click opens a tab of its own, which is a page as any other; the frame itself stays shut.
LINKS_OPEN = ["allow-popups", "allow-popups-to-escape-sandbox"]


class EmailBackend(BaseEmailBackend):
    """Keeps each mail as a file, the latest ones of all, and says in the terminal where to read it."""

    def send_messages(self, email_messages: Sequence[Any]) -> int:
        for message in email_messages:
            number = time.time_ns()
            keep_file(_name(number), message.message().as_bytes(), at_most=MAILS_AT_MOST)
            told = one_line(f"Mail to {', '.join(message.to)}: {message.subject}")
            address = settings.SITE_URL + reverse("outbox_mail", args=[number])
            sys.stdout.write(f"{told} — {address}\n")
            sys.stdout.flush()
        return len(email_messages)


def keeps_mails() -> bool:
    """Whether mails are kept here, and there is the page that shows them."""
    backend = f"{EmailBackend.__module__}.{EmailBackend.__qualname__}"
    return bool(settings.DEBUG and settings.MAILERS["default"]["BACKEND"] == backend)


type View = Callable[..., HttpResponse]


def for_development(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, **parts: int) -> HttpResponse:
        if not keeps_mails():
            raise Http404
        return view(request, **parts)

    return never_cache(require_safe(guarded))


@for_development
def show_list(request: HttpRequest) -> HttpResponse:
    """The mails, the newest first."""
    numbers = sorted(map(_number, files_in(FOLDER)), reverse=True)
    mails = [(number, mail) for number in numbers if (mail := _read(number)) is not None]
    return render(request, "outbox/list.html", {"mails": mails})


@for_development
def show_mail(request: HttpRequest, number: int) -> HttpResponse:
    mail = _found(number)
    shown = {"number": number, "mail": mail, "text": _part(mail, "plain"), "sandbox": LINKS_OPEN}
    return render(request, "outbox/mail.html", shown)


@for_development
def show_html(request: HttpRequest, number: int) -> HttpResponse:
    """The page of the frame."""
    html = _part(_found(number), "html").replace("<head>", '<head><base target="_blank">', 1)
    return framed_letter(html, sandbox=LINKS_OPEN)


urlpatterns = [
    path("", show_list, name="outbox"),
    path("<int:number>/", show_mail, name="outbox_mail"),
    path("<int:number>/html/", show_html, name="outbox_html"),
]


def _name(number: int) -> str:
    return f"{FOLDER}/{number}.eml"


def _number(file: str) -> int:
    return int(file.removesuffix(".eml"))


def _found(number: int) -> EmailMessage:
    if (mail := _read(number)) is None:
        raise Http404
    return mail


def _read(number: int) -> EmailMessage | None:
    try:
        with storages["private"].open(_name(number)) as file:
            return message_from_bytes(file.read(), policy=default)
    except OSError:  # it had to make room meanwhile, or no file can have such a name
        return None


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    return str(part.get_content()) if part else ""
