"""What the pages of the payments book have in common."""

from django.db.models import Model
from django.http import HttpRequest

from payments.permissions import can_see_payments
from people.current_user import current_user
from project.common.admin.base import ReadOnlyAdmin


class PaymentsBookAdmin[M: Model](ReadOnlyAdmin[M]):
    """Whoever may see payments sees all that belongs to them."""

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return can_see_payments(current_user(request))
