"""The list and the page of a person."""

from typing import TYPE_CHECKING, Any, override

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.admin.actions import PROCESSES, ask_and_run, page_of
from people.admin.filters import SoonBlockedFilter, StateFilter
from people.admin.forms import NewPersonForm, PasswordForm, PersonForm
from people.admin.inlines import AccessInline, CourseInline, PaymentInline, SubscriptionInline
from people.current_user import current_user
from people.models import BlockReason, User
from people.permissions import can_give_rights, can_manage
from people.services.staff import update_account
from project.common.admin.base import StaffAdmin, action, display
from project.common.admin.filters import DaysFilter

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


@admin.register(User)
class UserAdmin(_DjangoUserAdmin, StaffAdmin[User]):
    form = PersonForm
    add_form = NewPersonForm
    change_password_form = PasswordForm
    list_display = ("email", "name", "state", "role", "last_login", "date_joined")
    list_filter = (
        StateFilter,
        SoonBlockedFilter,
        "groups",
        "is_staff",
        ("last_login", DaysFilter),
        ("date_joined", DaysFilter),
    )
    search_fields = ("email",)  # opens the search box; `get_search_results` searches
    search_help_text = gettext_lazy("E-mail, name, phone or city")
    ordering = ("-id",)
    sortable_by = ("email", "last_login", "date_joined")
    filter_horizontal = ()
    autocomplete_fields = ("groups",)
    inlines = (SubscriptionInline, AccessInline, PaymentInline, CourseInline)
    actions = ("block_many", "unblock_many", "reset_many", "appoint_many", "dismiss_many")
    actions_detail = (
        "block",
        "unblock",
        "password_reset",
        {"title": gettext_lazy("More"), "items": ["appoint", "dismiss", "erase"]},
    )

    # --- Who may what -------------------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        may = obj is None or can_manage(current_user(request), obj)
        return may and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nobody: payments and courses need their person. *Erase* takes the personal data away."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        facts = ["present_state", "blocked_at", "last_login", "date_joined"]
        rights = ["is_staff", "is_superuser", "groups"]
        return facts if can_give_rights(current_user(request)) else facts + rights

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        person = ["email", ["first_name", "last_name"], ["phone", "city"], "language"]
        if obj is None:
            password = ["password1", "password2"]
            new = ["email", ["first_name", "last_name"], "language"]
            return ((None, {"fields": new}), (_("Password"), {"fields": password}))
        shows_password = self.has_change_permission(request, obj)
        account = [["present_state", "blocked_at"], ["last_login", "date_joined"]]
        return (
            (None, {"fields": [*person, *(["password"] if shows_password else [])]}),
            (_("Account"), {"fields": account}),
            (_("Rights"), {"fields": [["is_staff", "is_superuser"], "groups"]}),
        )

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        """Nobody has courses before they exist."""
        return super().get_inlines(request, obj) if obj is not None else ()

    @override
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        """Django asks for the right to change the person only after it has read the form."""
        person = self.get_object(request, id)
        if person is None:
            raise Http404
        if not self.has_change_permission(request, person):
            raise PermissionDenied
        return super().user_change_password(request, id, form_url)

    # --- The list -----------------------------------------------------------------------------

    def with_shown(self, rows: QuerySet[User], request: HttpRequest) -> QuerySet[User]:
        people: Any = rows
        shown: QuerySet[User] = people.with_is_moderator()
        return shown

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        people: Any = queryset
        return (
            people.found_by_staff(search_term.strip()) if search_term.strip() else people
        ), False

    @display(description=gettext_lazy("name"))
    def name(self, person: User) -> str:
        return person.get_full_name() or "—"

    @display(description=gettext_lazy("state"), label=STATE_COLOURS)
    def state(self, person: User) -> tuple[str, str]:
        if person.is_active:
            return "active", _("active")
        reason = person.get_blocked_reason_display()
        return person.blocked_reason or BlockReason.STAFF.value, reason or _("blocked")

    @display(description=gettext_lazy("state"))
    def present_state(self, person: User) -> str:
        _key, text = self.state(person)
        return text

    @display(description=gettext_lazy("role"))
    def role(self, person: User) -> str:
        if person.is_superuser:
            return _("administrator")
        if person.is_moderator:
            return _("moderator")
        return _("staff") if person.is_staff else "—"

    # --- Saving -------------------------------------------------------------------------------

    @override
    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            super().save_model(request, obj, form, change)
            return
        names = [name for name in form.changed_data if name not in {"groups", "password"}]
        changes = {name: form.cleaned_data[name] for name in names}
        before = User.objects.get(pk=obj.pk)
        saved = update_account(user=before, by=current_user(request), changes=changes)
        vars(obj).update(vars(saved))

    # --- What is done with people -------------------------------------------------------------

    def has_process_permission(self, request: HttpRequest, name: str, object_id: Any) -> bool:
        """Whether a button of the person's page is for this member of the staff."""
        person = User.objects.with_is_moderator().filter(pk=self.key_of(object_id)).first()
        return person is not None and _is_offered(name, current_user(request), person)

    def has_block_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.has_process_permission(request, "block", object_id)

    def has_unblock_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.has_process_permission(request, "unblock", object_id)

    def has_password_reset_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.has_process_permission(request, "password_reset", object_id)

    def has_appoint_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.has_process_permission(request, "appoint", object_id)

    def has_dismiss_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.has_process_permission(request, "dismiss", object_id)

    def has_erase_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.has_process_permission(request, "erase", object_id)

    def has_rights_permission(self, request: HttpRequest) -> bool:
        return can_give_rights(current_user(request))

    def _one(self, request: HttpRequest, name: str, object_id: str) -> HttpResponse:
        person = self.get_object(request, object_id)
        if person is None:
            raise Http404
        return ask_and_run(self, request, PROCESSES[name], [person], back=page_of(person.pk))

    def _many(self, request: HttpRequest, name: str, people: QuerySet[User]) -> HttpResponse:
        back = reverse("admin:people_user_changelist")
        return ask_and_run(self, request, PROCESSES[name], list(people), back=back)

    @action(
        description=gettext_lazy("Block"), icon="block", url_path="block", permissions=["block"]
    )
    def block(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._one(request, "block", object_id)

    @action(
        description=gettext_lazy("Unblock"),
        icon="lock_open",
        url_path="unblock",
        permissions=["unblock"],
    )
    def unblock(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._one(request, "unblock", object_id)

    @action(
        description=gettext_lazy("Send password reset"),
        icon="lock_reset",
        url_path="password-reset",
        permissions=["password_reset"],
    )
    def password_reset(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._one(request, "password_reset", object_id)

    @action(
        description=gettext_lazy("Make moderator"),
        icon="add_moderator",
        url_path="appoint",
        permissions=["appoint"],
    )
    def appoint(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._one(request, "appoint", object_id)

    @action(
        description=gettext_lazy("Dismiss as moderator"),
        icon="remove_moderator",
        url_path="dismiss",
        permissions=["dismiss"],
    )
    def dismiss(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._one(request, "dismiss", object_id)

    @action(
        description=gettext_lazy("Erase personal data"),
        icon="person_off",
        url_path="erase",
        permissions=["erase"],
    )
    def erase(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._one(request, "erase", object_id)

    @admin.action(description=gettext_lazy("Block"), permissions=["change"])
    def block_many(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse:
        return self._many(request, "block", queryset)

    @admin.action(description=gettext_lazy("Unblock"), permissions=["change"])
    def unblock_many(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse:
        return self._many(request, "unblock", queryset)

    @admin.action(description=gettext_lazy("Send password reset"), permissions=["change"])
    def reset_many(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse:
        return self._many(request, "password_reset", queryset)

    @admin.action(description=gettext_lazy("Make moderator"), permissions=["rights"])
    def appoint_many(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse:
        return self._many(request, "appoint", queryset)

    @admin.action(description=gettext_lazy("Dismiss as moderator"), permissions=["rights"])
    def dismiss_many(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse:
        return self._many(request, "dismiss", queryset)


def _is_offered(name: str, by: User, person: User) -> bool:
    """Leave out what would do nothing: unblocking who is not blocked, appointing a moderator."""
    if person.blocked_reason == BlockReason.ERASED:
        return False
    sensible = {
        "block": person.is_active,
        "unblock": not person.is_active,
        "appoint": not person.is_moderator,
        "dismiss": person.is_moderator,
    }
    return sensible.get(name, True) and PROCESSES[name].allows(by, person)
