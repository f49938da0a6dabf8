"""The way from a person to the page that records a payment of theirs."""

from typing import Any, cast

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy
from unfold.decorators import action

from payments.permissions import can_vouch_for
from people.current_user import current_user
from people.models import BlockReason, User
from project.common.admin.actions import ActionsAdmin


class RecordingButton(ActionsAdmin[User]):
    """The button of a person whose payments this colleague may record, first below *More*: beside the
    others it would take the room of the person's name."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        *others, more = self.actions_detail
        assert isinstance(more, dict)  # noqa: S101 - as `ActionsAdmin` makes it
        items = ["record_payment", *cast(list[str], more["items"])]
        self.actions_detail = [*others, {**more, "items": items}]

    def buttons_of(self, request: HttpRequest, row: User) -> list[str]:
        buttons = super().buttons_of(request, row)
        is_erased = row.blocked_reason == BlockReason.ERASED
        may = not is_erased and can_vouch_for(current_user(request), row)
        return [*buttons, "record_payment"] if may else buttons

    @action(  # type: ignore[untyped-decorator]
        description=gettext_lazy("Record a payment"), url_path="record-payment", icon="payments"
    )
    def record_payment(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page itself asks who may."""
        query = {"payer": object_id}
        return HttpResponseRedirect(reverse("admin:payments_payment_add", query=query))
