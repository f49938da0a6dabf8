"""Who will be blocked for inactivity, when, and whether the warning went out."""

from datetime import datetime
from typing import Any, ClassVar

from django.db.models import OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from people.admin.filters import KEPT, SOON, SoonBlockedFilter
from people.models import User
from people.models.querysets import LAST_SEEN
from project.common.admin.base import Label, StaffAdmin, display
from project.mail.admin.deliveries import COLOURS
from project.mail.models import Delivery, DeliveryStatus


def warnings_of(person: "User | OuterRef") -> QuerySet[Delivery]:
    """The warnings that this person was sent, the last one first."""
    sent = Delivery.objects.filter(recipient=person, mailing__kind="inactivity_warning")
    return sent.order_by("-pk")


class InactivityColumns(StaffAdmin[User]):
    """Columns of the list when it is filtered by inactivity, and fields of each person's page."""

    inactivity_columns: ClassVar[dict[str, tuple[str, ...]]] = {
        SOON: ("person", "role", "last_login", "blocked_from", "warned_on", "warning"),
        KEPT: ("person", "role", "last_login", "kept_at", "kept_reason"),
    }

    def get_list_display(self, request: HttpRequest) -> Any:
        asked = request.GET.get(SoonBlockedFilter.parameter_name, "")
        return self.inactivity_columns.get(asked) or super().get_list_display(request)

    def get_ordering(self, request: HttpRequest) -> Any:
        """Who is blocked first comes first."""
        is_soon = request.GET.get(SoonBlockedFilter.parameter_name) == SOON
        return (LAST_SEEN.asc(),) if is_soon else super().get_ordering(request)

    def with_shown(self, rows: QuerySet[User], request: HttpRequest) -> QuerySet[User]:
        if request.GET.get(SoonBlockedFilter.parameter_name) != SOON:
            return rows
        return rows.annotate(warning_status=warnings_of(OuterRef("pk")).values("status")[:1])

    @display(description=_("will be blocked on"))
    def blocked_from(self, person: User) -> datetime | None:
        return person.blocked_on

    @display(description=_("warned on"))
    def warned_on(self, person: User) -> datetime | None:
        return person.warned_at if person.is_warned else None

    @display(description=_("warning email"), label=COLOURS)
    def warning(self, person: User) -> Label | None:
        """What became of the mail, by the annotation of the list or, on the page, with its reason."""
        if not person.is_warned:
            return None
        if hasattr(person, "warning_status"):
            status, reason = person.warning_status, ""
        else:
            mail = warnings_of(person).first()
            status, reason = (mail.status, mail.reason) if mail else (None, "")
        if not status:
            return None  # forgotten, as old mails are
        words = str(DeliveryStatus(status).label)
        return Label(status, f"{words}: {reason}" if reason else words)
