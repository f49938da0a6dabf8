"""What Ctrl+K offers: what can be begun, the pages of the menu, and rows, each with what tells it apart."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext_lazy, override
from unfold.dataclasses import SearchResult

from lms.permissions import can_grant_access
from payments.models.ledger import present_month
from payments.permissions import can_close, can_confirm, can_import
from payments.statistics import first_to_close
from people.current_user import current_user
from people.models import User
from people.permissions import can_give_rights, can_invite
from project.admin_site.menu import admin_of, groups, title_of
from project.common.db.searched import normalised

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

FOUND_OF_EACH = 5
ACTION = gettext_lazy("action")


@dataclass(frozen=True)
class Verb:
    """What somebody may begin. `place` names a page of the admin, or returns its address."""

    title: "StrOrPromise"
    icon: str
    place: str | Callable[[], str]
    allows: Callable[[HttpRequest], bool]

    @property
    def url(self) -> str:
        return reverse(f"admin:{self.place}") if isinstance(self.place, str) else self.place()


def _may(allows: Callable[[User], bool]) -> Callable[[HttpRequest], bool]:
    return lambda request: allows(current_user(request))


def _may_add(label: str) -> Callable[[HttpRequest], bool]:
    return lambda request: admin_of(label).has_add_permission(request)


def _closing() -> str:
    """The question of the month that is to be closed next, or the accounts if there is none."""
    month = first_to_close()
    if month is None or month >= present_month():
        return reverse("admin:payments_closedmonth_changelist")
    return reverse("admin:payments_closedmonth_close", args=[month.year, month.month])


VERBS = (
    Verb(gettext_lazy("Add a course"), "school", "lms_course_add", _may_add("lms.Course")),
    Verb(gettext_lazy("Add a lesson"), "play_lesson", "lms_lesson_add", _may_add("lms.Lesson")),
    Verb(gettext_lazy("Record a payment"), "add_card", "payments_payment_add", _may(can_confirm)),
    Verb(
        gettext_lazy("Confirm payments"),
        "payments",
        lambda: admin_of("payments.Payment").url("changelist") + "?attention=confirm",
        _may(can_confirm),
    ),
    Verb(
        gettext_lazy("Import payments"),
        "upload",
        "payments_payment_import_payments",
        _may(can_import),
    ),
    Verb(gettext_lazy("Close the month"), "account_balance", _closing, _may(can_close)),
    Verb(gettext_lazy("Add a person"), "person_add", "people_user_add", _may(can_invite)),
    Verb(
        gettext_lazy("Invite a colleague"),
        "group_add",
        "people_user_invite_colleague",
        _may(can_give_rights),
    ),
    Verb(gettext_lazy("Grant access"), "key", "lms_access_add", _may(can_grant_access)),
    Verb(
        gettext_lazy("Enrol people in a course"),
        "groups",
        "lms_course_changelist",
        # By a list of people on the page of the course.
        lambda request: (
            can_grant_access(current_user(request))
            and admin_of("lms.Course").has_view_or_change_permission(request)
        ),
    ),
    Verb(
        gettext_lazy("Send a test email"),
        "outgoing_mail",
        lambda: admin_of("mail.MailServer").url("send_test", 1),
        lambda request: admin_of("mail.MailServer").has_view_permission(request),
    ),
    Verb(gettext_lazy("Log-in and security"), "shield", "security", lambda _request: True),
    Verb(gettext_lazy("Change password"), "password", "password_change", lambda _request: True),
)


def search(request: HttpRequest) -> HttpResponse:
    """Answers as Unfold's own view, which keeps what it found for minutes, in any language, and has
    nothing to offer before something is typed."""
    began = time.monotonic()
    text = request.GET.get("s", "").strip()
    found = [*_verbs(request, text), *(_pages_and_rows(request, text) if text else ())]
    context = {
        "results": found,
        "page_obj": {"count": len(found)},
        "page_counter": 0,
        "execution_time": time.monotonic() - began,
    }
    headers = {"HX-Trigger": "search"}
    return TemplateResponse(
        request, "unfold/helpers/command_results.html", context, headers=headers
    )


search_view = admin.site.admin_view(search)


def _verbs(request: HttpRequest, text: str) -> Iterator[SearchResult]:
    for verb in VERBS:
        if _is_meant(text, verb.title) and verb.allows(request):
            yield SearchResult(str(verb.title), str(ACTION), verb.url, verb.icon)


def _pages_and_rows(request: HttpRequest, text: str) -> Iterator[SearchResult]:
    rows = []
    for group, models in groups(request):
        for model_admin, icon in models:
            if _is_meant(text, title_of(model_admin)):
                title = str(capfirst(title_of(model_admin)))
                yield SearchResult(title, group, model_admin.url("changelist"), icon)
            if not model_admin.get_search_fields(request):
                continue
            hits, _duplicates = model_admin.get_search_results(
                request, model_admin.get_queryset(request), text
            )
            if model_admin.found_with:
                hits = hits.select_related(*model_admin.found_with)
            kind = str(model_admin.opts.verbose_name)
            for row in hits[:FOUND_OF_EACH]:
                told = " · ".join(filter(None, [kind, *model_admin.told_apart(request, row)]))
                url = model_admin.url("change", row.pk)
                rows.append(SearchResult(model_admin.label_of(row), told, url, icon))
    yield from rows


def _is_meant(text: str, title: "StrOrPromise") -> bool:
    """Whether each word of the text begins one of the title, in the reader's language or another."""
    words = normalised(text).split()
    return any(_begin(words, named) for named in _in_each_language(title))


def _in_each_language(title: "StrOrPromise") -> Iterable[str]:
    for language in dict.fromkeys([get_language(), *dict(settings.LANGUAGES)]):
        with override(language):
            yield normalised(str(title))


def _begin(words: list[str], title: str) -> bool:
    return all(any(part.startswith(word) for part in title.split()) for word in words)
