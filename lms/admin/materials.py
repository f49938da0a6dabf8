"""What the pages of courses and of lessons share: policy, pictures, history and *put back*."""

from collections.abc import Sequence
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lms import permissions
from lms.admin.diffs import KINDS, can_be_put_back, differences
from lms.history import Change, Changes, change_of
from lms.models import Course, Lesson
from lms.models.courses import SEARCHED_FIELDS
from lms.services import authoring, restoring, updates
from people.current_user import current_user
from people.models import User
from project.common.admin.base import StaffAdmin, display
from project.common.db.search import contains, find
from project.common.errors import DomainError
from project.common.money import shown

CHANGES_ON_PAGE = 20


def person_label(viewer: User, person: User | None) -> str:
    """Name a person as `viewer` may know them: moderators see the public part of a profile."""
    if person is None:
        return _("unknown")
    if viewer.has_perm("people.view_user"):
        return str(person)
    return f"{person.first_name} · {person.pk}" if person.first_name else f"№ {person.pk}"


class MaterialsAdmin[M: (Course, Lesson)](StaffAdmin[M]):
    search_help_text = gettext_lazy("Text in the title or description")
    search_fields = ("title",)  # opens the search box; `get_search_results` searches

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        rows: Any = super().get_queryset(request)
        visible: QuerySet[M] = rows.visible_to(current_user(request))
        return visible

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[M], search_term: str
    ) -> tuple[QuerySet[M], bool]:
        text = search_term.strip()
        return (find(queryset, contains(text, *SEARCHED_FIELDS)) if text else queryset), False

    # --- Pictures -----------------------------------------------------------------------------

    @display(description=gettext_lazy("preview"))
    def picture(self, subject: M) -> SafeString | str:
        if not subject.preview:
            return "—"
        return format_html(
            '<img src="{}" alt="" class="parta-thumbnail" loading="lazy">', subject.preview.url
        )

    # --- The list -----------------------------------------------------------------------------

    @display(description=gettext_lazy("price"), ordering="price")
    def price_shown(self, subject: M) -> str | None:
        """None: not sold on its own."""
        return None if subject.price is None else shown(subject.price, subject.currency)

    # --- Saving -------------------------------------------------------------------------------

    def save_picture(self, subject: M, form: "ModelForm[M]") -> None:
        if "preview" in form.changed_data:
            authoring.set_preview(subject=subject, picture=form.cleaned_data["preview"] or None)

    def tell_who_is_mailed(self, request: HttpRequest, course: Course) -> None:
        """Say how many people will hear of what was just changed in the course, and when."""
        others = course.subscriptions.filter(user__is_active=True).exclude(
            user=current_user(request)
        )
        number = others.count()
        if not course.is_published or not number:
            return
        at = updates.collected_go_out_at(course)
        message = (
            ngettext(
                "%(number)d subscriber will be told of the change by mail, on %(at)s.",
                "%(number)d subscribers will be told of the change by mail, on %(at)s.",
                number,
            )
            if at
            else ngettext(
                "%(number)d subscriber will be told of the change by mail, now.",
                "%(number)d subscribers will be told of the change by mail, now.",
                number,
            )
        )
        when = date_format(localtime(at), "DATETIME_FORMAT") if at else ""
        self.message_user(request, message % {"number": number, "at": when}, messages.INFO)

    # --- History ------------------------------------------------------------------------------

    def changes(self, subject: M) -> Changes:
        raise NotImplementedError

    def can_update(self, user: User, subject: M) -> bool:
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_put_back"
        view = self.admin_site.admin_view(self.put_back_view)
        return [
            path("<int:object_id>/history/<int:change_id>/put-back/", view, name=name),
            *super().get_urls(),
        ]

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        subject = self._found(request, object_id)
        page = Paginator(cast("Any", self.changes(subject)), CHANGES_ON_PAGE).get_page(
            request.GET.get("page")
        )
        context = {
            "title": _("History"),
            "subtitle": str(subject),
            "page": page,
            "entries": [self._entry(request, subject, change) for change in page],
            **self._context(request, subject),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/lms/history.html", context)

    def put_back_view(self, request: HttpRequest, object_id: int, change_id: int) -> HttpResponse:
        """Ask, then undo one change of a course or lesson."""
        subject = self._found(request, str(object_id))
        if not self.has_change_permission(request, subject):
            raise PermissionDenied
        change = change_of(subject, change_id)
        if change is None or not can_be_put_back(change):
            raise Http404
        if request.method == "POST":
            return self._put_back(request, subject, change)
        entry = self._entry(request, subject, change)
        context = self._context(request, subject) | {
            "title": _("Put back"),
            "subtitle": str(subject),
            "entry": entry,
        }
        return TemplateResponse(request, "admin/lms/put_back.html", context)

    def _put_back(self, request: HttpRequest, subject: M, change: Change) -> HttpResponse:
        notify = "minor_edit" not in request.POST
        try:
            restoring.put_back(
                subject=subject, change=change, by=current_user(request), notify=notify
            )
        except (DomainError, ValidationError) as error:
            text = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
            self.message_user(request, text, messages.ERROR)
        else:
            self.log_change(request, subject, _("Put back an earlier text."))
            self.message_user(request, _("The change was put back."), messages.SUCCESS)
        return HttpResponseRedirect(self._url("history", subject.pk))

    def _found(self, request: HttpRequest, object_id: str) -> M:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        subject = self.get_object(request, object_id)
        if subject is None:
            raise Http404
        if not self.has_view_or_change_permission(request, subject):
            raise PermissionDenied
        return subject

    def _context(self, request: HttpRequest, subject: M) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": subject,
            "change_url": self._url("change", subject.pk),
            "history_url": self._url("history", subject.pk),
        }

    def _entry(self, request: HttpRequest, subject: M, change: Change) -> dict[str, Any]:
        return {
            "change": change,
            "by": person_label(current_user(request), change.by),
            "kind": KINDS[change.kind],
            "differences": differences(change),
            "put_back_url": self._put_back_url(request, subject, change),
        }

    def _put_back_url(self, request: HttpRequest, subject: M, change: Change) -> str | None:
        if not can_be_put_back(change) or not self.can_update(current_user(request), subject):
            return None
        model, pk = ("lesson", change.lesson_id) if change.lesson_id else ("course", subject.pk)
        return reverse(f"admin:lms_{model}_put_back", args=[pk, change.id])

    def _url(self, name: str, pk: int) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}", args=[pk])

    # --- Deleting -----------------------------------------------------------------------------

    def delete_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        """What is paid for is not even asked about."""
        subject = self._found(request, object_id)
        if self.has_delete_permission(request, subject) and authoring.has_payments(subject):
            self.message_user(request, str(authoring.HasPayments.message), messages.ERROR)
            return HttpResponseRedirect(self._url("change", subject.pk))
        return super().delete_view(request, object_id, *args, **kwargs)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Count what goes along: Django would load and list each lesson, subscription and right."""
        subjects: list[M] = list(objs)
        for subject in subjects:
            if authoring.has_payments(subject):
                message = f"{subject}: {authoring.HasPayments.message}"
                raise authoring.HasPayments(message)
        rows = [(self.opts.verbose_name_plural, len(subjects))]
        rows += [
            (part.model._meta.verbose_name_plural, part.count())
            for part in self.goes_along(subjects)
        ]
        numbers = {name: number for name, number in rows if number}
        return [str(subject) for subject in subjects], numbers, set(), []

    def goes_along(self, subjects: Sequence[M]) -> list[QuerySet[Any]]:
        """What is deleted with these."""
        raise NotImplementedError

    # Asked by Django for `delete_selected`; one that fails fails all.
    def delete_each(self, queryset: QuerySet[M], by: User) -> None:
        raise NotImplementedError

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[M]) -> None:
        self.delete_each(queryset, current_user(request))


def may_delete(request: HttpRequest) -> bool:
    """Whether the person may delete anything at all: shows or hides buttons and bulk actions."""
    return permissions.can_create_course(current_user(request))
