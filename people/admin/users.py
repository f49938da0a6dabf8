"""The list and the page of a person."""

from typing import TYPE_CHECKING, Any, cast, override

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.admin.actions import PERSON_ACTIONS
from people.admin.filters import RoleFilter, SoonBlockedFilter, StateFilter
from people.admin.forms import NewPersonForm, PasswordForm, PersonForm
from people.admin.inactivity import InactivityColumns, warnings_of
from people.admin.inlines import AccessInline, CourseInline, PaymentInline, SubscriptionInline
from people.current_user import current_user
from people.models import BlockReason, User
from people.models.querysets import UserQuerySet
from people.models.roles import title_of
from people.permissions import can_give_rights, can_manage
from people.services.locks import lock_account
from people.services.staff import update_account
from project.common.admin.actions import ActionsAdmin, Facts
from project.common.admin.base import Label, display
from project.common.admin.filters import DaysFilter
from project.common.admin.versions import VersionedAdmin

if TYPE_CHECKING:
    _DjangoUserAdmin = DjangoUserAdmin[User]
else:
    _DjangoUserAdmin = DjangoUserAdmin

STATE_COLOURS = {
    "active": "success",
    BlockReason.STAFF.value: "danger",
    BlockReason.INACTIVITY.value: "warning",
    BlockReason.ERASED.value: "info",
}


INACTIVITY = ["blocked_from", "warned_on", "warning"]
KEPT = ["kept_at", "kept_reason"]


@admin.register(User)
class UserAdmin(  # type: ignore[misc]
    InactivityColumns, _DjangoUserAdmin, VersionedAdmin[User], ActionsAdmin[User]
):
    form = PersonForm
    add_form = NewPersonForm
    change_password_form = PasswordForm
    list_display = ("email", "name", "state", "role", "last_login", "date_joined")
    list_filter = (
        StateFilter,
        SoonBlockedFilter,
        RoleFilter,
        "is_staff",
        ("last_login", DaysFilter),
        ("date_joined", DaysFilter),
    )
    search_fields = ("email",)  # opens the search box; `found` searches
    search_help_text = gettext_lazy("Email, name, phone or city")
    ordering = ("-id",)
    sortable_by = ("email", "last_login", "date_joined")
    filter_horizontal = ()
    inlines = (SubscriptionInline, AccessInline, PaymentInline, CourseInline)
    staff_actions = PERSON_ACTIONS

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        may = obj is None or can_manage(current_user(request), obj)
        return may and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nobody: payments and courses need their person. *Erase* takes the personal data away."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        facts = ["state", "blocked_at", "last_login", "date_joined", "roles", *INACTIVITY, *KEPT]
        rights = ["is_staff", "is_superuser"]
        return facts if can_give_rights(current_user(request)) else facts + rights

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        person = [
            "email",
            ["first_name", "last_name"],
            ["phone", "city"],
            ["language", "is_listed"],
        ]
        if obj is None:
            password = ["password1", "password2"]
            new = ["email", ["first_name", "last_name"], "language"]
            return [(None, {"fields": new}), (_("Password"), {"fields": password})]
        shows_password = self.has_change_permission(request, obj)
        account = [["state", "blocked_at"], ["last_login", "date_joined"]]
        inactivity = [INACTIVITY, *([KEPT] if obj.kept_at else [])]
        return [
            (None, {"fields": [*person, *(["password"] if shows_password else [])]}),
            (_("Account"), {"fields": account}),
            (_("Inactivity"), {"fields": inactivity}),
            (_("Permissions"), {"fields": [["is_staff", "is_superuser"], "roles"]}),
        ]

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        """Nobody has courses before they exist."""
        return super().get_inlines(request, obj) if obj is not None else ()

    @override
    @transaction.atomic
    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        """Django asks for the right to change the person only after it has read the form, and saves
        the whole row as it was read: locked, it can't be erased meanwhile."""
        if self.get_object(request, id) is None:
            raise Http404
        person = lock_account(int(id))
        erased = person.blocked_reason == BlockReason.ERASED
        if erased or not self.has_change_permission(request, person):
            raise PermissionDenied
        return super().user_change_password(request, id, form_url)

    def with_shown(self, rows: QuerySet[User], request: HttpRequest) -> QuerySet[User]:
        people = rows.prefetch_related("groups")
        return people.annotate(warning_status=warnings_of(OuterRef("pk")).values("status")[:1])

    def found(self, rows: QuerySet[User], text: str) -> QuerySet[User]:
        return cast(UserQuerySet, rows).found_by_staff(text)

    @display(description=gettext_lazy("name"))
    def name(self, person: User) -> str:
        return person.get_full_name() or "—"

    @display(description=gettext_lazy("state"), label=STATE_COLOURS)
    def state(self, person: User) -> Label:
        if person.is_active:
            return Label("active", _("active"))
        reason = person.get_blocked_reason_display()
        return Label(person.blocked_reason or BlockReason.STAFF.value, reason or _("blocked"))

    @display(description=gettext_lazy("role"))
    def role(self, person: User) -> str:
        if person.is_superuser:
            return _("administrator")
        return self.roles(person) or (_("staff") if person.is_staff else "—")

    @display(description=gettext_lazy("roles"))
    def roles(self, person: User) -> str:
        return ", ".join(sorted(title_of(group) for group in person.groups.all()))

    @override
    def save_model(self, request: HttpRequest, obj: User, form: PersonForm, change: bool) -> None:
        if not change:
            super().save_model(request, obj, form, change)
            return
        names = [name for name in form.changed_data if name != "password"]
        changes = {name: form.cleaned_data[name] for name in names}
        saved = update_account(
            user=User.objects.get(pk=obj.pk),
            by=current_user(request),
            changes=changes,
            expected=form.expected,
        )
        vars(obj).update(vars(saved))

    def version_of(self, row: User) -> str:
        return row.version

    def facts_of(self, row: User) -> Facts:
        return [(str(row), row.email if row.email != str(row) else "")]
