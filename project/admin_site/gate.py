"""Who has come in through the log-in of the admin, and how far: each request passes here before its
page (docs/rules.md, 3.7 and 3.9)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.messages import get_messages
from django.core.exceptions import ValidationError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from redis.exceptions import RedisError
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from people import throttles
from people.clients import client_of
from people.current_user import current_user
from people.login_queue import turn
from people.models import AdminSession, User
from people.services import admin_sessions, second_factor
from people.services.sessions import RECORD
from project.admin_site.languages import keep_language
from project.admin_site.login import said
from project.common.errors import DomainError
from project.school.current import current_school

# Tells the scripts of the next page which address took what was sent to it (drafts.js).
TAKEN = "parta_taken"
# What needs no code: the ways in and out.
OPEN = frozenset({"login", "logout", "jsi18n", "second_factor"})


class CodeField(forms.CharField):
    """A code of the app, or a recovery code."""

    def __init__(self, **kwargs: Any) -> None:
        attributes = {"autocomplete": "one-time-code", "autocapitalize": "none"}
        super().__init__(
            label=gettext_lazy("Code"),
            max_length=30,
            widget=UnfoldAdminTextInputWidget(attrs=attributes),
            **kwargs,
        )


@dataclass
class SessionProof:
    """Of one request, for `project/common/admin/proof.py`."""

    session: AdminSession
    user: User
    # Whether the gate let the request through to a page of the admin.
    has_passed: bool = False

    @property
    def has_device(self) -> bool:
        return self.session.has_device

    @property
    def is_let_in(self) -> bool:
        return self.session.code_at is not None or not self.has_device

    def field(self) -> forms.Field | None:
        given_at = self.session.code_at if self.has_device else self.session.password_at
        if given_at and given_at > timezone.now() - settings.SECOND_FACTOR_PERIOD:
            return None
        if self.has_device:
            return CodeField(help_text=_("From the app on your phone, or a recovery code."))
        return forms.CharField(
            label=_("Your password"),
            strip=False,
            max_length=1024,
            widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"}),
            help_text=_("Some time has passed since you logged in."),
        )

    def give(self, answer: str) -> None:
        try:
            if self.has_device:
                second_factor.check_code(user=self.user, code=answer)
                admin_sessions.note_code(self.session)
                return
            throttles.limit_password_change(self.user)
            with turn():
                is_right = self.user.check_password(answer)
        except DomainError as error:
            raise ValidationError(said(error)) from None
        except RedisError:
            text = _("This is not possible at the moment. Try again later.")
            raise ValidationError(text) from None
        if not is_right:
            raise ValidationError(_("This is not your password."))
        admin_sessions.note_password(self.session)


class AdminGate:
    """Sets the clock of the school and the language of the person; notes that staff are here, which they are for weeks without a
    log-in; ends what was ended elsewhere, and leads to the second step whoever has to take it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Here, so that what refuses a request before its page is asked says so in it, too.
        if request.path_info.startswith(reverse("admin:index")) and request.user.is_authenticated:
            translation.activate(current_user(request).language)
        with timezone.override(None):  # what is activated below ends with the request
            response = self.get_response(request)
        proof = getattr(request, "proof", None)
        # Who changes their own password goes on working; all other sessions end.
        if proof and proof.session.token_version != proof.user.token_version:
            admin_sessions.keep_after_new_password(proof.session, proof.user)
        if proof and proof.has_passed and is_taken(request, response):
            address = quote(request.get_full_path(), safe="")
            response.set_cookie(TAKEN, address, max_age=60, secure=settings.HTTPS, samesite="Lax")
        return response

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        match, user = request.resolver_match, current_user(request)
        if match is None or match.app_name != "admin":
            return None
        # Times are shown, and read, in the school's zone.
        timezone.activate(current_school().zone)
        if request.user.is_anonymous:
            return None
        user.note_presence()
        session = _session_of(request, user)
        if session is None:
            logout(request)
            return None
        request.proof = proof = SessionProof(session, user)  # type: ignore[attr-defined]
        if match.url_name in OPEN or not user.is_staff:
            return None
        needed = ""
        if not proof.is_let_in:
            needed = "second_factor"
        elif match.url_name != "second_factor_set_up" and not proof.has_device:
            needed = "second_factor_set_up" if second_factor.is_required(user) else ""
        proof.has_passed = not needed
        return _lead_to(needed, request) if needed else None


def is_taken(request: HttpRequest, response: HttpResponse) -> bool:
    """Say whether what a form sent was done: an answer that leads on, and tells no error."""
    # Who iterates over messages uses them up.
    said = getattr(get_messages(request), "_queued_messages", ())
    is_refused = any(message.level >= messages.ERROR for message in said)
    return request.method == "POST" and response.status_code == 302 and not is_refused


def _session_of(request: HttpRequest, user: User) -> AdminSession | None:
    name = request.session.get(RECORD)
    if name is not None:
        return admin_sessions.find(user, name)
    session = admin_sessions.adopt(user, client_of(request))
    request.session[RECORD] = session.pk.hex
    return session


def _lead_to(name: str, request: HttpRequest) -> HttpResponse:
    back = urlencode({"next": request.get_full_path()})
    return HttpResponseRedirect(f"{reverse(f'admin:{name}')}?{back}")


@receiver(user_logged_in)
def begin_session(request: HttpRequest, user: User, **of_signal: object) -> None:
    """Somebody logged in, perhaps in a browser where they had not logged out."""
    end_session(request)
    request.session[RECORD] = admin_sessions.begin(user, client_of(request)).pk.hex
    keep_language(user, request.GET.get("language"))


@receiver(user_logged_out)
def end_session(request: HttpRequest, **of_signal: object) -> None:
    if name := request.session.get(RECORD):
        admin_sessions.end(name)
