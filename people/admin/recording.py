"""The ways from a person to the pages that give access or record a payment."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy
from unfold.decorators import action

from lms.permissions import can_grant_access, can_see_accesses
from payments.permissions import can_vouch_for
from people.admin.actions import WRITE
from people.current_user import current_user
from people.models import BlockReason, User
from project.common.admin.actions import ActionsAdmin


class WaysElsewhere(ActionsAdmin[User]):
    """Buttons of a person that lead to other pages, which ask themselves who may."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        place = self.actions_detail.index(WRITE.name) + 1
        ways = ["give_access", "record_payment"]
        self.actions_detail = [*self.actions_detail[:place], *ways, *self.actions_detail[place:]]

    def buttons_of(self, request: HttpRequest, row: User) -> list[str]:
        buttons = super().buttons_of(request, row)
        if row.blocked_reason == BlockReason.ERASED:
            return buttons
        viewer = current_user(request)
        if can_see_accesses(viewer) and can_grant_access(viewer):
            buttons.append("give_access")
        if can_vouch_for(viewer, row):
            buttons.append("record_payment")
        return buttons

    @action(  # type: ignore[untyped-decorator]
        description=gettext_lazy("Give access"), url_path="give-access", icon="key"
    )
    def give_access(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:lms_access_add", query={"user": object_id}))

    @action(  # type: ignore[untyped-decorator]
        description=gettext_lazy("Record a payment"), url_path="record-payment", icon="payments"
    )
    def record_payment(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(
            reverse("admin:payments_payment_add", query={"payer": object_id})
        )
