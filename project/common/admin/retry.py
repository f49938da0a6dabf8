"""Rows of the admin that failed and can be tried again, after a question."""

from typing import TYPE_CHECKING, Any

from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from project.common.admin.base import AdministratorsAdmin, action
from project.common.admin.confirmation import Question, ask

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class RetriedAdmin[M: Model](AdministratorsAdmin[M]):
    """Offers *Try again* on the page of a row."""

    actions_detail = ("try_again",)
    explanation: "StrOrPromise"

    def can_be_tried(self, object_id: Any) -> bool:
        """Whether there is anything to try again. Override it where not every row failed."""
        return True

    def facts_of(self, row: M) -> "list[tuple[StrOrPromise, str]]":
        """What the question is about."""
        raise NotImplementedError

    def try_row(self, request: HttpRequest, row: M) -> None:
        """Try it again, and tell so."""
        raise NotImplementedError

    def page_after(self, row: M) -> str:
        """Where to go then: the row's own page, unless it is gone."""
        return self._page_of(row)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        unfolds: Any = super()
        offered: list[Any] = unfolds.get_actions_detail(request, object_id)
        return offered if self.can_be_tried(object_id) else []

    @action(
        description=gettext_lazy("Try again"),
        icon="replay",
        url_path="try-again",
        permissions=["view"],
    )
    def try_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if request.method == "POST":
            self.try_row(request, row)
            return HttpResponseRedirect(self.page_after(row))
        question = Question(
            title=_("Try again"),
            explanation=self.explanation,
            back=self._page_of(row),
            facts=self.facts_of(row),
        )
        return ask(request, self, question)

    def _page_of(self, row: M) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])
