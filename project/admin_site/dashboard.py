"""The first page: what needs attention, what authors did, and figures of a period, each with a way to the
list behind it. Who is shown what, is said by PANELS here and by SOURCES in `attention.py`."""

from collections.abc import Callable

from django.http import HttpRequest
from django.utils.translation import gettext as _

from payments.permissions import can_see_payments
from people.current_user import current_user
from people.models import User
from project.admin_site import panels
from project.admin_site.attention import attention_of, looked_at
from project.admin_site.checklist import checklist_of
from project.admin_site.menu import admin_of, groups
from project.admin_site.news import news_of
from project.admin_site.periods import PERIODS, Period, period_of
from project.admin_site.widgets import Panel

# Each with the model that has to be seen for it.
PANELS: tuple[tuple[str, Callable[[HttpRequest, Period], list[Panel]]], ...] = (
    ("payments.Payment", panels.revenue),
    ("lms.Course", panels.learning),
    ("people.User", panels.people),
    ("lms.Course", panels.content),
)


def fill(request: HttpRequest, context: dict[str, object]) -> dict[str, object]:
    """Unfold's DASHBOARD_CALLBACK: add what this person is shown to the page."""
    context["title"] = _("Dashboard")
    if not any(groups(request)):
        context["whom_to_ask"] = User.objects.whom_to_ask()
        return context
    period = period_of(request.GET.get("period", ""))
    context["checklist"] = checklist_of(request)
    context["attention"] = attention_of(request)
    context["looked_at"] = looked_at(request)
    context["news"] = news_of(request)
    # Whoever looks after money has come for that.
    context["news_last"] = can_see_payments(current_user(request))
    context["period"], context["periods"] = period, PERIODS
    context["panels"] = [
        panel
        for label, make in PANELS
        if admin_of(label).has_view_or_change_permission(request)
        for panel in make(request, period)
    ]
    return context
