"""What the pages of courses and of lessons share: policy, pictures, history and *put back*."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast, override

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lms import permissions
from lms.admin.diffs import KINDS, differences
from lms.admin.edits import Edit
from lms.admin.forms import MaterialsForm
from lms.admin.sentences import NOTHING_TO_TELL, listed, who_is_mailed
from lms.history import Change, Changes, change_of
from lms.models import Course, Lesson
from lms.models.visibility import MaterialQuerySet
from lms.services import authoring, forecasts, restoring, updates
from people.current_user import current_user
from people.models import User
from project.common.admin.base import FieldNames, Fieldsets, Label, display
from project.common.admin.deleting import DeletingAdmin
from project.common.admin.fields import PicturesAdmin
from project.common.admin.heads import Badge, HeadedAdmin
from project.common.admin.log import noted
from project.common.db.search import contains, find
from project.common.errors import DomainError
from project.common.images import thumbnail_of
from project.common.money import price_shown
from project.common.versions import Expected

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise, StrPromise

CHANGES_ON_PAGE = 20
STATE_COLOURS = {"published": "success", "draft": "warning"}


def person_label(viewer: User, person: User | None) -> str:
    """Name a person as `viewer` may know them: moderators see the public part of a profile."""
    if person is None:
        return _("unknown")
    if viewer.has_perm("people.view_user"):
        return str(person)
    return f"{person.first_name} · {person.pk}" if person.first_name else f"№ {person.pk}"


class MaterialsAdmin[M: (Course, Lesson)](PicturesAdmin, HeadedAdmin[M], DeletingAdmin[M]):
    form = MaterialsForm
    change_form_after_template = "admin/lms/forecast.html"
    search_help_text = gettext_lazy("Words of the title or description")
    search_fields = ("title",)  # opens the search box; `found` searches

    # Fields that stand in a group of their own, and one that stands last.
    SALE = ("price", "is_published", "is_preview")
    PICTURE = "preview"

    # Where the front end shows it.
    front_page: Callable[[M], str]
    # In which many are changed at once: whoever locks several courses does so by their keys.
    LOCKED_IN_ORDER: Sequence[str] = ("pk",)

    actions = ("publish", "unpublish", "delete_selected")
    # How many they were.
    said_of_published: "StrPromise"
    said_of_unpublished: "StrPromise"

    # Of lms.permissions and lms.history, for this model.
    can_update: Callable[[User, M], bool]
    can_delete: Callable[[User, M], bool]
    changes: Callable[[M], Changes]

    def version_of(self, row: M) -> str:
        return row.version

    def view_on_site(self, subject: M) -> str:
        return self.front_page(subject)

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        rows = cast("MaterialQuerySet[M]", super().get_queryset(request))
        return rows.visible_to(current_user(request))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return can_delete_any(request) and super().has_add_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        may = obj is None or self.can_update(current_user(request), obj)
        return may and super().has_view_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        may = obj is None or self.can_update(current_user(request), obj)
        return may and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        may = self.can_delete(current_user(request), obj) if obj else can_delete_any(request)
        return may and super().has_delete_permission(request, obj)

    def found(self, rows: QuerySet[M], text: str) -> QuerySet[M]:
        return find(rows, contains(text, "searched"))

    @display(description=gettext_lazy("picture"))
    def picture(self, subject: M) -> SafeString | str:
        name = subject.preview.name
        if not name:
            return "—"
        address = subject.preview.storage.url(thumbnail_of(name))
        return format_html('<img src="{}" alt="" class="parta-thumbnail" loading="lazy">', address)

    @display(description=gettext_lazy("price"), ordering="price", formatting="price")
    def price_shown(self, subject: M) -> str | None:
        """None: not sold on its own."""
        return None if subject.price is None else price_shown(subject.price, subject.currency)

    @display(description=gettext_lazy("state"), label=STATE_COLOURS)
    def published_label(self, subject: M) -> Label:
        if subject.is_published:
            return Label("published", _("published"))
        return Label("draft", _("draft"))

    def badge_of(self, subject: M) -> Badge:
        label = self.published_label(subject)
        return Badge(label.text, STATE_COLOURS[label.key])

    @admin.action(description=gettext_lazy("Publish"), permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[M]) -> None:
        number = self._change_all(
            request, queryset, {"is_published": True}, gettext_lazy("Published")
        )
        said = self.said_of_published % {"number": number}
        self.message_user(request, said, messages.SUCCESS)

    @admin.action(description=gettext_lazy("Unpublish"), permissions=["change"])
    def unpublish(self, request: HttpRequest, queryset: QuerySet[M]) -> None:
        number = self._change_all(
            request, queryset, {"is_published": False}, gettext_lazy("Unpublished")
        )
        said = self.said_of_unpublished % {"number": number}
        self.message_user(request, said, messages.SUCCESS)

    def _change_all(
        self,
        request: HttpRequest,
        subjects: QuerySet[M],
        changes: dict[str, bool],
        note: "StrOrPromise",
    ) -> int:
        """One that fails fails all."""
        changed = list(subjects.exclude(**changes).order_by(*self.LOCKED_IN_ORDER))
        with self.one_update(request):
            for subject in changed:
                self.change(subject, changes, current_user(request))
                self.log_change(request, subject, [noted(note)])
        return len(changed)

    def get_fields(self, request: HttpRequest, obj: M | None = None) -> FieldNames:
        """All that can be edited, whose it is first. A new field of the model is on the page by this."""
        fields = sorted(self.opts.fields, key=lambda field: not field.is_relation)
        return [field.name for field in fields if field.editable and field is not self.opts.pk]

    def get_fieldsets(self, request: HttpRequest, obj: M | None = None) -> Fieldsets:
        names = self.get_fields(request, obj)
        first: FieldNames = [name for name in names if name not in {*self.SALE, self.PICTURE}]
        sale = [name for name in names if name in self.SALE]
        return [
            (None, {"fields": [*first, self.PICTURE]}),
            (_("Sale and publication"), {"fields": [sale, *([["minor_edit"]] if obj else [])]}),
        ]

    def create(self, form: MaterialsForm, by: User) -> M:
        raise NotImplementedError

    def update(self, subject: M, form: MaterialsForm, by: User) -> M:
        raise NotImplementedError

    def change(self, subject: M, changes: Mapping[str, object], by: User) -> None:
        raise NotImplementedError

    def delete(self, subject: M, by: User, expected: Expected) -> None:
        raise NotImplementedError

    @override
    def save_model(self, request: HttpRequest, obj: M, form: MaterialsForm, change: bool) -> None:
        by = current_user(request)
        saved = self.update(obj, form, by) if change else self.create(form, by)
        if "preview" in form.changed_data:
            picture = form.cleaned_data["preview"] or None
            saved = authoring.set_preview(subject=saved, picture=picture)
        vars(obj).update(vars(saved))

    @override
    def _changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """What Django does in one transaction."""
        if request.method != "POST":
            return super()._changeform_view(request, *args, **kwargs)
        with self.one_update(request):
            return super()._changeform_view(request, *args, **kwargs)

    @contextmanager
    def one_update(self, request: HttpRequest) -> Iterator[None]:
        """Make all that is changed inside one update, and say who will hear of it."""
        with transaction.atomic(), updates.one_update() as update:
            yield
        for course in update.courses.values():
            told = update.told.get(course.pk)
            forecast = forecasts.of_update(told) if told else forecasts.of_collected([course])[0]
            if forecast.number or forecast.daily:
                said = who_is_mailed(forecast)
                named = f"{course}: {said}" if len(update.courses) > 1 else said
                self.message_user(request, named, messages.INFO)

    def edits(self, form: Any, by: User) -> list[Edit]:
        """What the form would change, if it were saved, of which courses."""
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        model, wrap = self.opts.model_name, self.admin_site.admin_view
        return [
            path(
                "<int:object_id>/history/<int:change_id>/put-back/",
                wrap(self.put_back_view),
                name=f"lms_{model}_put_back",
            ),
            path("forecast/", wrap(self.forecast_view), name=f"lms_{model}_add_forecast"),
            path(
                "<int:object_id>/forecast/", wrap(self.forecast_view), name=f"lms_{model}_forecast"
            ),
            *super().get_urls(),
        ]

    def forecast_view(self, request: HttpRequest, object_id: int | None = None) -> HttpResponse:
        """Who would be mailed, if the form were saved as it is sent here. Saves nothing."""
        subject = self._seen(request, str(object_id)) if object_id else None
        is_new = subject is None
        may_add = is_new and self.has_add_permission(request)
        if not (may_add or (subject and self.has_change_permission(request, subject))):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        form = self.get_form(request, subject, change=not is_new)(request.POST, instance=subject)
        form.is_valid()
        told = [
            forecasts.of_edit(edit.course, edit.changes if form.notify else [], edit.lessons)
            for edit in self.edits(form, current_user(request))
        ]
        context = {
            "is_minor": not form.notify,
            "forecasts": [(one, who_is_mailed(one), listed(one)) for one in told if one.changes],
            "nobody": who_is_mailed(told[0]) if told else NOTHING_TO_TELL,
        }
        return TemplateResponse(request, "admin/lms/forecast_told.html", context)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        subject = self._seen(request, object_id)
        page = Paginator(cast("Any", self.changes(subject)), CHANGES_ON_PAGE).get_page(
            request.GET.get("page")
        )
        context = {
            "title": _("History"),
            "page": page,
            "entries": [self._entry(request, subject, change) for change in page],
            **self._context(request, subject),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/lms/history.html", context)

    def put_back_view(self, request: HttpRequest, object_id: int, change_id: int) -> HttpResponse:
        """Ask, then undo one change of a course or lesson."""
        subject = self._seen(request, str(object_id))
        if not self.has_change_permission(request, subject):
            raise PermissionDenied
        change = change_of(subject, change_id)
        if change is None or not restoring.can_be_put_back(change):
            raise Http404
        if request.method != "POST":
            context = {
                "title": _("Put back"),
                "entry": self._entry(request, subject, change),
                **self._context(request, subject),
            }
            return TemplateResponse(request, "admin/lms/put_back.html", context)
        notify = "minor_edit" not in request.POST
        try:
            with self.one_update(request):
                restoring.put_back(
                    subject=subject, change=change, by=current_user(request), notify=notify
                )
        except DomainError as error:
            self.message_user(request, str(error), messages.ERROR)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
        else:
            self.log_change(request, subject, [noted(gettext_lazy("Put an earlier version back"))])
            self.message_user(request, _("The change was undone."), messages.SUCCESS)
        return HttpResponseRedirect(self.url("history", subject.pk))

    def _seen(self, request: HttpRequest, object_id: str) -> M:
        """The course or lesson, for who may see it."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        subject: M | None = self.get_object(request, object_id)
        if subject is None:
            raise Http404
        if not self.has_view_or_change_permission(request, subject):
            raise PermissionDenied
        return subject

    def _context(self, request: HttpRequest, subject: M) -> dict[str, object]:
        return {
            **self.admin_site.each_context(request),
            "subtitle": str(subject),
            "opts": self.opts,
            "original": subject,
            "change_url": self.url("change", subject.pk),
            "history_url": self.url("history", subject.pk),
        }

    def _entry(self, request: HttpRequest, subject: M, change: Change) -> dict[str, object]:
        user = current_user(request)
        model, pk = ("lesson", change.lesson_id) if change.lesson_id else ("course", subject.pk)
        may = restoring.can_be_put_back(change) and self.can_update(user, subject)
        return {
            "change": change,
            "by": person_label(user, change.by),
            "kind": KINDS[change.kind],
            "differences": differences(change, partial(person_label, user)),
            "put_back_url": reverse(f"admin:lms_{model}_put_back", args=[pk, change.id])
            if may
            else None,
        }

    def delete_view(
        self, request: HttpRequest, object_id: str, *args: dict[str, Any] | None
    ) -> HttpResponse:
        """What is paid for is not even asked about."""
        subject = self._seen(request, object_id)
        if self.has_delete_permission(request, subject) and authoring.is_kept(subject):
            self.message_user(request, str(authoring.HasPayments(subject)), messages.ERROR)
            return HttpResponseRedirect(self.url("change", subject.pk))
        return super().delete_view(request, object_id, *args)

    def get_deleted_objects(
        self, objs: Sequence[M] | QuerySet[M], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Count what goes along: Django would load and list each lesson, subscription and right."""
        subjects = list(objs)
        if kept := [subject for subject in subjects if authoring.is_kept(subject)]:
            self.message_user(request, _("Nothing was deleted."), messages.WARNING)
            raise authoring.HasPayments(*kept)
        numbers = {str(self.opts.verbose_name_plural): len(subjects)}
        for part in self.goes_along(subjects):
            if number := part.count():
                numbers[str(part.model._meta.verbose_name_plural)] = number
        return [str(subject) for subject in subjects], numbers, set(), []

    def goes_along(self, subjects: Sequence[M]) -> list[QuerySet[Model]]:
        """What is deleted with these."""
        raise NotImplementedError

    def delete_model(self, request: HttpRequest, obj: M) -> None:
        with self.one_update(request):
            self.delete(obj, current_user(request), self.expected(request, obj))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[M]) -> None:
        """One that fails fails all."""
        with self.one_update(request):
            for subject in queryset:
                self.delete(subject, current_user(request), self.expected(request, subject))


def can_delete_any(request: HttpRequest) -> bool:
    """Whether the person may delete anything at all: shows or hides buttons and bulk actions."""
    return permissions.can_create_course(current_user(request))
