"""Pages that a link in a mail, or of `up`, leads to, in the look of the log-in. They need no front
end.

What such a link carries is taken out of the address at once, into a cookie that only the page gets:
a page with it in its own address would tell it on as a Referer, and leave it in the history.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.password_validation import password_validators_help_text_html
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError
from unfold.widgets import INPUT_CLASSES

from people import throttles
from people.hashers import composed
from project.admin_site.login import said
from project.common.errors import Throttled

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

COOKIE = "mail_link"


@never_cache
@require_safe
def keep_link(request: HttpRequest, *, uid: str, token: str, page: str) -> HttpResponse:
    """Lead to the page of this name with what the link carries."""
    address = reverse(page)
    response = HttpResponseRedirect(address)
    response.set_cookie(
        COOKIE,
        f"{uid}/{token}",
        path=address,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


def carried(request: HttpRequest) -> tuple[str, str]:
    """The uid and token of the link; empty without one."""
    uid, _slash, token = request.COOKIES.get(COOKIE, "").partition("/")
    return uid, token


def forget_link(response: HttpResponse, page: str) -> HttpResponse:
    response.delete_cookie(COOKIE, path=reverse(page), samesite="Lax")
    return response


def _password_field(label: "StrOrPromise", **options: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(
            attrs={"autocomplete": "new-password", "class": " ".join(INPUT_CLASSES)}
        ),
        **options,
    )


class OwnPasswordForm(forms.Form):
    """A new password, twice: nobody sees what they type."""

    new_password = _password_field(
        gettext_lazy("New password"), help_text=password_validators_help_text_html()
    )
    again = _password_field(gettext_lazy("New password again"))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        new, again = cleaned.get("new_password"), cleaned.get("again")
        if new and again and composed(new) != composed(again):
            self.add_error("again", _("The two passwords don't match."))
        return cleaned


def succeeds(form: forms.Form, act: Callable[[], object]) -> bool:
    """Do what a valid form asks for, and say in the form why it was not done."""
    if not form.is_valid():
        return False
    try:
        act()
    except Throttled as error:
        form.add_error(None, said(error))
    except RedisError:
        form.add_error(None, _("This is not possible at the moment. Try again later."))
    except ValidationError as error:
        form.add_error(None, error)
    return form.is_valid()


def use_link(request: HttpRequest, set_password: Callable[[str, str], Any]) -> None:
    """Have the link used, counted as by the API. Whoever comes by it is known at this address."""
    uid, token = carried(request)
    throttles.limit_link(request, uid=uid, token=token)
    user = set_password(uid, token)
    throttles.remember_address(request, email=user.email)


def show(
    request: HttpRequest,
    name: str,
    title: str,
    known: Mapping[str, object] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": title, **(known or {})}
    return TemplateResponse(request, f"admin/own/{name}.html", context, status=status)
