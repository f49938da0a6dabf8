"""What staff see and do about their own log-in: the second step, recovery codes, sessions."""

from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import segno
from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic import View

from people.clients import client_of, in_words
from people.current_user import current_user
from people.models import AdminSession, TokenFamily
from people.services import admin_sessions, second_factor, sessions
from project.admin_site.gate import CodeField, SessionProof
from project.admin_site.login import said
from project.common.admin.proof import PROOF, ask_in, is_given
from project.common.errors import DomainError

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# Of the person's own log-ins.
LATEST = 20
# Where Django's session keeps the key of a device until its first code.
KEY = "second_factor_key"


class CodeForm(forms.Form):
    code = CodeField()
    code.widget.attrs["autofocus"] = True


class OwnView(View):
    """A page about the person who looks at it."""

    admin_site = cast(AdminSite, None)
    title: "StrOrPromise" = ""
    template = ""

    @property
    def proof(self) -> SessionProof:
        return cast(SessionProof, self.request.proof)  # type: ignore[attr-defined]

    def show(self, **context: object) -> HttpResponse:
        site = self.admin_site.each_context(self.request)
        return TemplateResponse(
            self.request, self.template, {**site, "title": self.title, **context}
        )

    def next_page(self) -> HttpResponse:
        """Where the person was going, if that is a page of ours."""
        target = self.request.GET.get("next", "")
        is_ours = url_has_allowed_host_and_scheme(
            target, {self.request.get_host()}, require_https=self.request.is_secure()
        )
        return HttpResponseRedirect(target if is_ours else reverse("admin:index"))


class CodeView(OwnView):
    """The second step of the log-in."""

    title = gettext_lazy("Two-step verification")
    template = "admin/security/code.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.next_page() if self.proof.is_let_in else self.show(form=CodeForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form, user = CodeForm(request.POST), current_user(request)
        if self.proof.is_let_in or not form.is_valid():
            return self.get(request)
        code = form.cleaned_data["code"]
        left = second_factor.recovery_codes_left(user)
        try:
            admin_sessions.enter_code(self.proof.session, user, code, client_of(request))
        except DomainError as error:
            form.add_error("code", said(error))
            return self.show(form=form)
        now_left = second_factor.recovery_codes_left(user)
        if now_left < left:
            self.tell_what_is_left(now_left)
            return HttpResponseRedirect(reverse("admin:security"))
        return self.next_page()

    def tell_what_is_left(self, number: int) -> None:
        text = ngettext(
            "You used a recovery code; %(number)d is left. If you have lost your device, set up another one.",
            "You used a recovery code; %(number)d are left. If you have lost your device, set up another one.",
            number,
        )
        messages.warning(self.request, text % {"number": number})


class SetUpView(OwnView):
    """A key as a picture and in letters, which the first code confirms."""

    title = gettext_lazy("Set up two-step verification")
    template = "admin/security/set_up.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.ask(self.form())

    def post(self, request: HttpRequest) -> HttpResponse:
        form, key = self.form(request.POST), request.session.get(KEY)
        if key is None or not (form.is_valid() and is_given(form, request)):
            return self.ask(form)
        user = current_user(request)
        try:
            codes = second_factor.set_up(user=user, key=key, code=form.cleaned_data["code"])
        except DomainError as error:
            form.add_error("code", said(error))
            return self.ask(form)
        del request.session[KEY]
        admin_sessions.note_code(self.proof.session)
        return show_codes(self, codes)

    def form(self, data: Any = None) -> forms.Form:
        form = CodeForm(data)
        form.fields["code"].label = _("Code that the app shows")
        ask_in(form, self.request)
        if PROOF in form.fields and self.proof.has_device:
            form.fields[PROOF].label = _("Code of your present device")
        return form

    def ask(self, form: forms.Form) -> HttpResponse:
        session = self.request.session
        key = session.setdefault(KEY, second_factor.new_key())
        address = second_factor.address_of_key(current_user(self.request), key)
        picture = segno.make(address, error="m").svg_inline(scale=5, border=3, light="#fff")
        return self.show(
            form=form,
            picture=picture,
            address=address,
            key=second_factor.key_in_words(key),
            is_replaced=self.proof.has_device,
        )


class AskedView(OwnView):
    """What is asked about once, and by a code, before it is done."""

    template = "admin/security/ask.html"
    explanation: "StrOrPromise" = ""
    is_danger = False

    def get(self, request: HttpRequest) -> HttpResponse:
        if not self.proof.has_device:
            return HttpResponseRedirect(reverse("admin:security"))
        return self.ask(self.form())

    def post(self, request: HttpRequest) -> HttpResponse:
        if not self.proof.has_device:
            return self.get(request)
        form = self.form(request.POST)
        if not (form.is_valid() and is_given(form, request)):
            return self.ask(form)
        try:
            return self.do(request)
        except DomainError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("admin:security"))

    def form(self, data: Any = None) -> forms.Form:
        form = forms.Form(data)
        ask_in(form, self.request)
        return form

    def ask(self, form: forms.Form) -> HttpResponse:
        return self.show(form=form, explanation=self.explanation, is_danger=self.is_danger)

    def do(self, request: HttpRequest) -> HttpResponse:
        raise NotImplementedError


class RecoveryCodesView(AskedView):
    title = gettext_lazy("New recovery codes")
    explanation = gettext_lazy("You will get ten new codes. Your present ones will stop working.")

    def do(self, request: HttpRequest) -> HttpResponse:
        return show_codes(self, second_factor.renew_recovery_codes(user=current_user(request)))


class RemoveView(AskedView):
    title = gettext_lazy("Turn off two-step verification")
    explanation = gettext_lazy(
        "Your password alone will let you in, and your recovery codes will stop working."
    )
    is_danger = True

    def do(self, request: HttpRequest) -> HttpResponse:
        second_factor.remove(user=current_user(request))
        messages.success(request, _("Two-step verification is off."))
        return HttpResponseRedirect(reverse("admin:security"))


def show_codes(view: OwnView, codes: list[str]) -> HttpResponse:
    view.template, view.title = "admin/security/codes.html", _("Recovery codes")
    return view.show(codes=codes, continue_to=view.next_page()["Location"])


class SecurityView(OwnView):
    """The person's own second step, sessions and log-ins."""

    title = gettext_lazy("Log-in and security")
    template = "admin/security/overview.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        user = current_user(request)
        return self.show(
            set_up_at=second_factor.set_up_at(user),
            is_required=second_factor.is_required(user),
            codes_left=second_factor.recovery_codes_left(user),
            sessions=[self.row(one) for one in sessions.sessions_of(user)],
            log_ins=[(one, in_words(one.device)) for one in user.log_ins.all()[:LATEST]],
        )

    def row(self, session: TokenFamily | AdminSession) -> dict[str, object]:
        return {
            "session": session,
            "device": in_words(session.device),
            "where": _("admin") if isinstance(session, AdminSession) else _("site"),
            "is_current": session.pk == self.proof.session.pk,
        }

    def post(self, request: HttpRequest) -> HttpResponse:
        """End one session, or all but this one."""
        user = current_user(request)
        try:
            if chosen := request.POST.get("session"):
                sessions.end_session(user=user, session_id=UUID(chosen))
                messages.success(request, _("The session was ended."))
            else:
                admin_sessions.end_others(self.proof.session, user)
                messages.success(request, _("All other sessions were ended."))
        except (DomainError, ValueError) as error:
            messages.error(request, str(error))
        return HttpResponseRedirect(request.path)
