"""The page on which the first administrator makes the account, by a link that `up` prints.

The token of the link is known to `up`, to whoever reads its terminal and to the web process. Where
nothing was printed, as in production, there is no such page.
"""

import os
from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING

from django import forms
from django.conf import settings
from django.contrib.auth import login
from django.core.exceptions import MiddlewareNotUsed, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from people.errors import AdministratorExists
from people.models import User
from people.models.choices import Language
from people.services import accounts
from people.throttles import UNKNOWN, client_address
from project.admin_site.mail_links import OwnPasswordForm, carried, forget_link, show, succeeds
from project.common.errors import DomainError
from project.school.current import current_school

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[User]
else:
    _ModelForm = forms.ModelForm

# Of the environment that `up` gives to the web process.
VARIABLE = "FIRST_ACCOUNT_TOKEN"


class FirstAccount:
    """Leads to the page from where people arrive, as long as nobody could do anything there."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not os.environ.get(VARIABLE):
            raise MiddlewareNotUsed
        self.get_response = get_response
        self.is_awaited = True

    def __call__(self, request: HttpRequest) -> HttpResponse:
        entrances = {"/", reverse("admin:index"), reverse("admin:login")}
        if self.is_awaited and request.path_info in entrances:
            self.is_awaited = not User.objects.administrators().exists()
            if self.is_awaited:
                return HttpResponseRedirect(reverse("admin_first_account"))
        return self.get_response(request)


class FirstAccountForm(_ModelForm, OwnPasswordForm):
    field_order = ("email", "first_name", "last_name", "language", "new_password", "again")

    class Meta:
        model = User
        fields = ("email", "first_name", "last_name", "language")
        widgets = {
            "email": UnfoldAdminEmailInputWidget(
                attrs={"autocomplete": "email", "autofocus": True}
            ),
            "first_name": UnfoldAdminTextInputWidget(attrs={"autocomplete": "given-name"}),
            "last_name": UnfoldAdminTextInputWidget(attrs={"autocomplete": "family-name"}),
            "language": UnfoldAdminSelectWidget,
        }

    def create(self) -> User:
        profile = {name: self.cleaned_data[name] for name in self.Meta.fields}
        password = self.cleaned_data["new_password"]
        try:
            return accounts.create_first_administrator(
                email=profile.pop("email"), password=password, profile=profile
            )
        except ValidationError as error:
            raise ValidationError({"new_password": error.messages}) from None
        except DomainError as error:
            raise ValidationError(str(error)) from None


@never_cache
@sensitive_post_parameters()
def make(request: HttpRequest) -> HttpResponse:
    token = os.environ.get(VARIABLE)
    if not token:
        raise Http404
    title = _("Welcome to %s") % current_school().name
    known: dict[str, object] = {"site_url": "", "is_here": _is_here(request)}
    if User.objects.administrators().exists():
        title = str(AdministratorExists.message)
        return show(request, "first_account", title, {"is_made": True}, status=410)
    if not (known["is_here"] and constant_time_compare(carried(request)[1], token)):
        return show(request, "first_account", title, known, status=403)
    language = Language.of_code(get_language())
    form = FirstAccountForm(request.POST or None, initial={"language": language})
    if request.method == "POST" and succeeds(form, lambda: login(request, form.create())):
        done = HttpResponseRedirect(reverse("admin:index"))
        return forget_link(done, "admin_first_account")
    return show(request, "first_account", title, {**known, "form": form})


def _is_here(request: HttpRequest) -> bool:
    """Whether somebody at this machine asks, and no proxy for others."""
    if settings.PROXIES or "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    address = client_address(request)
    return address != UNKNOWN and ip_address(address).is_loopback
