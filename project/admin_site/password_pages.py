"""*Forgot your password?* of the admin's log-in: asking for a link, and using it. Both do and count
as the API's password reset does."""

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe
from unfold.widgets import UnfoldAdminEmailInputWidget

from people import throttles
from people.errors import InvalidLink
from people.models.fields import MailboxInput
from people.services import passwords
from project.admin_site.mail_links import (
    OwnPasswordForm,
    carried,
    forget_link,
    show,
    succeeds,
    use_link,
)


class ForgottenForm(forms.Form):
    email = MailboxInput(
        label=gettext_lazy("Email"),
        max_length=254,
        widget=UnfoldAdminEmailInputWidget(attrs={"autofocus": True, "autocomplete": "email"}),
    )


@never_cache
def ask_for_link(request: HttpRequest) -> HttpResponse:
    form = ForgottenForm(request.POST or None)

    def send() -> None:
        email = form.cleaned_data["email"]
        throttles.limit_mail_request(request, email=email)
        passwords.request_password_reset(email=email)

    if request.method == "POST" and succeeds(form, send):
        return HttpResponseRedirect(reverse("admin_password_link_sent"))
    return show(request, "password_forgotten", _("Forgotten password"), {"form": form})


@never_cache
@require_safe
def link_sent(request: HttpRequest) -> HttpResponse:
    return show(request, "password_link_sent", _("Check your mailbox"))


@never_cache
@sensitive_post_parameters()
def choose(request: HttpRequest) -> HttpResponse:
    form = OwnPasswordForm(request.POST or None)

    def set_password(uid: str, token: str) -> object:
        new = form.cleaned_data["new_password"]
        return passwords.confirm_password_reset(uid=uid, token=token, new_password=new)

    try:
        account = passwords.account_of_link(*carried(request))
        if request.method == "POST" and succeeds(form, lambda: use_link(request, set_password)):
            done = HttpResponseRedirect(reverse("admin_password_done"))
            return forget_link(done, "admin_password_choose")
    except InvalidLink as error:
        return show(
            request, "password_link_bad", _("This link is not valid"), {"error": error}, status=409
        )
    known = {"form": form, "email": account.email}
    return show(request, "password_choose", _("New password"), known)


@never_cache
@require_safe
def done(request: HttpRequest) -> HttpResponse:
    return show(request, "password_done", _("Your new password is set"))
