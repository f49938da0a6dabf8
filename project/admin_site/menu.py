"""The menu, the search and the labels around every page of the admin."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.dataclasses import SearchResult

if TYPE_CHECKING:
    from django.db.models import Model
    from django_stubs_ext import StrOrPromise

FOUND_OF_EACH = 5


@dataclass(frozen=True)
class Section:
    """A group of the menu; models that nobody registered yet, or that this person may not see,
    are left out."""

    title: "StrOrPromise"
    # Label of the model and the symbol beside it.
    models: tuple[tuple[str, str], ...]


SECTIONS = (
    Section(
        gettext_lazy("Content"),
        (("lms.Course", "school"), ("lms.Lesson", "play_lesson")),
    ),
    Section(
        gettext_lazy("People"),
        (("people.User", "group"), ("auth.Group", "shield_person")),
    ),
    Section(
        gettext_lazy("Payments"),
        (("payments.Payment", "payments"), ("lms.Access", "key"), ("payments.StripeEvent", "bolt")),
    ),
    Section(
        gettext_lazy("Background work"),
        (
            ("django_q.OrmQ", "pending_actions"),
            ("django_q.Success", "task_alt"),
            ("django_q.Failure", "error"),
            ("django_q.Schedule", "schedule"),
            ("mail.Mailing", "campaign"),
            ("mail.Delivery", "forward_to_inbox"),
        ),
    ),
)


def registered(label: str) -> "admin.ModelAdmin[Any] | None":
    """The admin of a model, None if it has none."""
    model: type[Model] = apps.get_model(label)
    return admin.site.get_model_admin(model) if admin.site.is_registered(model) else None


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The menu as this person may use it."""
    home = {"title": _("Dashboard"), "icon": "space_dashboard", "link": reverse("admin:index")}
    groups = [{"items": [home]}]
    for section in SECTIONS:
        items = [
            _item(model_admin, icon)
            for label, icon in section.models
            if (model_admin := registered(label))
            and model_admin.has_view_or_change_permission(request)
        ]
        if items:
            groups.append({"title": str(section.title), "separator": True, "items": items})  # type: ignore[dict-item]
    return groups


def _item(model_admin: "admin.ModelAdmin[Any]", icon: str) -> dict[str, Any]:
    options = model_admin.opts
    return {
        "title": capfirst(options.verbose_name_plural),
        "icon": icon,
        "link": reverse(f"admin:{options.app_label}_{options.model_name}_changelist"),
    }


def search(request: HttpRequest, term: str) -> list[SearchResult]:
    """The first few hits in each list that this person may see."""
    found = []
    for section in SECTIONS:
        for label, icon in section.models:
            model_admin = registered(label)
            if (
                model_admin
                and model_admin.get_search_fields(request)
                and model_admin.has_view_or_change_permission(request)
            ):
                found += _hits(model_admin, request, term, icon)
    return found


def _hits(
    model_admin: "admin.ModelAdmin[Any]", request: HttpRequest, term: str, icon: str
) -> list[SearchResult]:
    rows, _duplicates = model_admin.get_search_results(
        request, model_admin.get_queryset(request), term
    )
    options = model_admin.opts
    name = f"admin:{options.app_label}_{options.model_name}_change"
    return [
        SearchResult(
            title=str(row),
            description=str(options.verbose_name),
            link=reverse(name, args=[row.pk]),
            icon=icon,
        )
        for row in rows[:FOUND_OF_EACH]
    ]


def environment(request: HttpRequest) -> list[str]:
    """The label at the top: nobody should take the school for a playground, or the other way."""
    return [_("Development"), "info"] if settings.DEBUG else [_("Production"), "success"]


def icon(request: HttpRequest) -> str:
    return static("parta/icon.svg")


def login_image(request: HttpRequest) -> str:
    return static("parta/login.svg")


def style(request: HttpRequest) -> str:
    return static("parta/admin.css")


def script(request: HttpRequest) -> str:
    return static("parta/keys.js")
