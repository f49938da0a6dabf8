"""What staff do with people, one or many: ask first, then call the service for each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.admin.forms import ReasonForm
from people.current_user import current_user
from people.models import User
from people.permissions import can_block, can_erase, can_give_rights, can_manage
from people.services import accounts, blocks, passwords, staff
from project.common.errors import DomainError

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from people.admin.users import UserAdmin


@dataclass(frozen=True)
class Process:
    """`allows` says whom the staff member may do it to, `run` does it to one person."""

    name: str
    title: "StrOrPromise"
    explanation: "StrOrPromise"
    icon: str
    allows: Callable[[User, User], bool]
    run: Callable[[User, User], Any]
    asks_reason: bool = False
    is_danger: bool = False


def _gives_rights(user: User, _person: User) -> bool:
    return can_give_rights(user)


PROCESSES = {
    process.name: process
    for process in (
        Process(
            "block",
            gettext_lazy("Block"),
            gettext_lazy("They are logged out at once and can't log in until they are unblocked."),
            "block",
            can_block,
            lambda person, by: blocks.block(user=person, by=by),
            asks_reason=True,
            is_danger=True,
        ),
        Process(
            "unblock",
            gettext_lazy("Unblock"),
            gettext_lazy("They can log in again."),
            "lock_open",
            can_block,
            lambda person, by: blocks.unblock(user=person, by=by),
            asks_reason=True,
        ),
        Process(
            "password_reset",
            gettext_lazy("Send password reset"),
            gettext_lazy("They get a mail with a link to choose a new password."),
            "lock_reset",
            can_manage,
            lambda person, _by: passwords.request_password_reset(email=person.email),
        ),
        Process(
            "appoint",
            gettext_lazy("Make moderator"),
            gettext_lazy("They will see and change all courses and lessons, here and in the API."),
            "add_moderator",
            _gives_rights,
            lambda person, by: staff.appoint_moderator(user=person, by=by),
        ),
        Process(
            "dismiss",
            gettext_lazy("Dismiss as moderator"),
            gettext_lazy("They keep their account and their own courses."),
            "remove_moderator",
            _gives_rights,
            lambda person, by: staff.dismiss_moderator(user=person, by=by),
        ),
        Process(
            "erase",
            gettext_lazy("Erase personal data"),
            gettext_lazy(
                "Name, e-mail, phone, city and picture are erased for good, subscriptions end, and "
                "nobody can log in any more. Payments and courses stay."
            ),
            "person_off",
            can_erase,
            lambda person, by: accounts.erase_account(user=person, by=by),
            asks_reason=True,
            is_danger=True,
        ),
    )
}


def ask_and_run(
    model_admin: "UserAdmin",
    request: HttpRequest,
    process: Process,
    people: Sequence[User],
    *,
    back: str,
) -> HttpResponse:
    """Show the question; once it is answered, do it to each person and say how it went."""
    by = current_user(request)
    refused = [str(person) for person in people if not process.allows(by, person)]
    if refused:
        text = _("Nothing was done: you may not do this with %(people)s.")
        model_admin.message_user(request, text % {"people": ", ".join(refused)}, messages.ERROR)
        return HttpResponseRedirect(back)
    confirmed = "confirm" in request.POST
    form = ReasonForm(request.POST if confirmed else None) if process.asks_reason else None
    if confirmed and (form is None or form.is_valid()):
        reason = form.cleaned_data["reason"] if form else ""
        for person in people:
            _run(model_admin, request, process, person, reason)
        return HttpResponseRedirect(back)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": str(process.title),
        "opts": model_admin.opts,
        "process": process,
        "people": people,
        "form": form,
        "action": request.POST.get("action", ""),
        "back": back,
    }
    return TemplateResponse(request, "admin/people/ask.html", context)


def _run(
    model_admin: "UserAdmin", request: HttpRequest, process: Process, person: User, reason: str
) -> None:
    try:
        process.run(person, current_user(request))
    except DomainError as error:
        model_admin.message_user(request, f"{person}: {error}", messages.ERROR)
        return
    title = str(process.title)
    note = f"{title}: {reason}" if reason else title
    # Whoever was erased is not to be named by the log.
    subject = User.objects.get(pk=person.pk)
    model_admin.log_change(request, subject, note)
    model_admin.message_user(
        request,
        _("%(person)s: done (%(process)s).") % {"person": subject, "process": title},
        messages.SUCCESS,
    )


def page_of(person_id: int) -> str:
    return reverse("admin:people_user_change", args=[person_id])
