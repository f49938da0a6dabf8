"""The first page: what needs attention, then figures, each with a way to the list behind it.

A panel is a function in `panels.py` from a request to a `Panel`, or None if it is not for this
person, and is named in PANELS.
"""

from django.http import HttpRequest
from django.utils.translation import gettext as _

from people.models import User
from project.admin_site.menu import groups
from project.admin_site.panels import background, content, mails, payments, people

# So many administrators are named to who may do nothing yet.
ASKED = 5
PANELS = (payments, content, people, background, mails)


def fill(request: HttpRequest, context: dict[str, object]) -> dict[str, object]:
    """Unfold's DASHBOARD_CALLBACK: add the panels of this person to the page."""
    panels = [panel for make in PANELS if (panel := make(request))]
    context["title"] = _("Dashboard")
    context["attention"] = [entry for panel in panels for entry in panel.attention]
    context["panels"] = [panel for panel in panels if panel.figures or panel.charts]
    if not any(groups(request)):
        administrators = User.objects.active().administrators()
        context["whom_to_ask"] = administrators.order_by("pk")[:ASKED]
    return context
