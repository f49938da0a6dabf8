"""The menu of the admin, for what the person may see."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from project.common.admin.base import StaffAdmin

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# Of each group: labels of models, and the symbols beside them.
MENU: "tuple[tuple[StrOrPromise, dict[str, str]], ...]" = (
    (
        gettext_lazy("Content"),
        {"lms.Course": "school", "lms.Lesson": "play_lesson", "lms.PendingUpdate": "schedule_send"},
    ),
    (gettext_lazy("People"), {"people.User": "group", "people.Role": "shield_person"}),
    (
        gettext_lazy("Payments"),
        {
            "payments.Payment": "payments",
            "payments.ClosedMonth": "account_balance",
            "payments.LedgerEntry": "receipt_long",
            "payments.Finding": "troubleshoot",
            "payments.Dispute": "gavel",
            "payments.Refund": "undo",
            "lms.Access": "key",
            "payments.StripeEvent": "bolt",
        },
    ),
    (
        gettext_lazy("Background work"),
        {
            "django_q.OrmQ": "pending_actions",
            "django_q.Success": "task_alt",
            "django_q.Failure": "error",
            "django_q.Schedule": "schedule",
            "mail.Mailing": "campaign",
            "mail.Delivery": "forward_to_inbox",
            "mail.MailServer": "dns",
        },
    ),
    (gettext_lazy("Settings"), {"school.School": "storefront"}),
)


def admin_of(label: str) -> StaffAdmin[Model]:
    return cast("StaffAdmin[Model]", admin.site.get_model_admin(apps.get_model(label)))


def title_of(model_admin: StaffAdmin[Model]) -> "StrOrPromise":
    return model_admin.title_in_menu or model_admin.opts.verbose_name_plural or ""


def groups(request: HttpRequest) -> Iterator[tuple[str, list[tuple[StaffAdmin[Model], str]]]]:
    for title, models in MENU:
        registered = [(admin_of(label), icon) for label, icon in models.items()]
        seen = [pair for pair in registered if pair[0].has_view_or_change_permission(request)]
        if seen:
            yield str(title), seen


def sidebar(request: HttpRequest) -> list[dict[str, object]]:
    home = {"title": _("Dashboard"), "icon": "space_dashboard", "link": reverse("admin:index")}
    menu: list[dict[str, object]] = [{"items": [home]}]
    for title, models in groups(request):
        items = [
            {
                "title": capfirst(title_of(model_admin)),
                "icon": icon,
                "link": model_admin.url("changelist"),
            }
            for model_admin, icon in models
        ]
        menu.append({"title": title, "separator": True, "items": items})
    return menu


def environment(request: HttpRequest) -> list[str]:
    """The label at the top: nobody should mistake the real school for a test one."""
    return [_("Development"), "info"] if settings.DEBUG else [_("Production"), "success"]
