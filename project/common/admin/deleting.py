"""Before rows are deleted, one or many: what goes along, what has to be typed, and the versions that
were seen (docs/rules.md, 13.7 and 13.11)."""

from collections.abc import Sequence
from typing import Any, override

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.utils import unquote
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from project.common.admin.nouns import counted
from project.common.admin.typed import TYPED, TypedField
from project.common.admin.versions import SEEN, VersionedAdmin
from project.common.errors import ChangedMeanwhile
from project.common.versions import Expected


class DeletingAdmin[M: Model](VersionedAdmin[M]):
    """A VersionedAdmin whose rows can be deleted. Its `delete_model` and `delete_queryset` hand on what
    is `expected` of a row."""

    def typed_to_delete(self, rows: Sequence[M]) -> str:
        """What has to be typed before these are deleted; empty: nothing."""
        return ""

    def expected(self, request: HttpRequest, row: M) -> Expected:
        seen = request.POST.get(f"{SEEN}-{row.pk}")
        return frozenset({seen}) if seen else None

    @override
    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        form = None
        if request.method == "POST":
            row = self.get_object(request, unquote(object_id))
            expected = row and self.expected(request, row)
            if row and expected and self.version_of(row) not in expected:
                self.message_user(request, str(ChangedMeanwhile()), messages.ERROR)
                return HttpResponseRedirect(request.get_full_path())
            form = self._typed_form([row] if row else [], request.POST)
            if not form.is_valid():
                # Django deletes whatever is sent, and asks if nothing is.
                request.POST = QueryDict()
        response = super().delete_view(request, object_id, extra_context)
        return self._asking(response, form)

    @admin.action(
        permissions=["delete"],
        description=gettext_lazy("Delete selected %(verbose_name_plural)s"),
    )
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[M]) -> HttpResponse | None:
        """Name it in `actions`, in the place of Django's own."""
        form = None
        if "post" in request.POST:
            form = self._typed_form(list(queryset), request.POST)
            if not form.is_valid():
                asked = request.POST.copy()
                del asked["post"]
                request.POST = asked  # type: ignore[assignment]
        with transaction.atomic():
            response = delete_selected(self, request, queryset)
        return self._asking(response, form) if response else None

    def _typed_form(self, rows: Sequence[M], answers: QueryDict | None) -> forms.Form:
        form = forms.Form(answers)
        if text := self.typed_to_delete(rows) if rows else "":
            form.fields[TYPED] = TypedField(text)
        return form

    def _asking[R: HttpResponse](self, response: R, form: forms.Form | None) -> R:
        """Add to the page what has to be typed, and what it shows."""
        if isinstance(response, TemplateResponse) and response.context_data is not None:
            context = response.context_data
            rows = [context["object"]] if "object" in context else list(context["queryset"])
            what = str(rows[0]) if len(rows) == 1 else counted(self.opts, len(rows))
            context |= {
                "form": form or self._typed_form(rows, None),
                "back": self.url("change", rows[0].pk)
                if "object" in context
                else self.url("changelist"),
                "heading": f"{_('Delete')}: {what}",
                "seen": [(f"{SEEN}-{row.pk}", self.version_of(row)) for row in rows],
            }
        return response
