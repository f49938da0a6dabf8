"""Roles give rights; administrators say which, and to whom."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, override

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Count, ManyToManyField, Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.admin.actions import ROLE_ACTIONS
from people.admin.rights import RightsField
from people.current_user import current_user
from people.models import Role, User
from people.models.querysets import NAME_SEARCHES
from people.permissions import can_give_rights
from project.common.admin.actions import ActionsAdmin
from project.common.admin.base import ReadOnlyInline, column, display
from project.common.admin.deleting import DeletingAdmin
from project.common.admin.filters import Choices, ChoosingAdmin, person_and_email
from project.common.admin.heads import Badge, Head, HeadedAdmin, HeadFact
from project.common.admin.proof import PROOF, ProvingAdmin, ProvingForm
from project.common.db.searched import normalised

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    Membership = Model
else:
    Membership = User.groups.through

admin.site.unregister(Group)


class MemberInline(ReadOnlyInline[Membership, Role]):
    model = User.groups.through
    fields = readonly_fields = ("person", "email", "last_login")
    verbose_name = gettext_lazy("member")
    verbose_name_plural = gettext_lazy("members")
    show_title = False
    tab = False

    email = column("user.email", gettext_lazy("email"))

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return can_give_rights(current_user(request))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user").order_by("user__email")

    @display(description=gettext_lazy("last login"))
    def last_login(self, membership: Any) -> datetime | None:
        last: datetime | None = membership.user.last_login
        return last

    @display(description=gettext_lazy("name"))
    def person(self, membership: Any) -> "SafeString":
        address = reverse("admin:people_user_change", args=[membership.user.pk])
        return format_html('<a class="text-link" href="{}">{}</a>', address, membership.user)


class RoleForm(ProvingForm):
    class Meta:
        # Django's is the name of a person in Russian.
        labels = {"name": gettext_lazy("Name")}

    def clean_name(self) -> str:
        """Letter case makes no other role."""
        name = str(self.cleaned_data["name"]).strip()
        if Role.objects.filter(name__iexact=name).exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("There is a role of this name."))
        return name


@admin.register(Role)
class RoleAdmin(
    ChoosingAdmin[Role],
    ProvingAdmin[Role],
    DeletingAdmin[Role],
    ActionsAdmin[Role],
    HeadedAdmin[Role],
):
    form = RoleForm
    choices = {
        "people": Choices(lambda: User.objects.not_erased(), NAME_SEARCHES, person_and_email)
    }
    list_display = ("title", "members_number", "may_shown", "may_not_shown")
    empty_text = gettext_lazy("Roles will appear here: what their members may do in the admin.")
    search_fields = ("name",)  # opens the search box; `found` searches
    ordering = ("id",)
    sortable_by = ()
    inlines = (MemberInline,)
    actions = None  # a bulk deletion would not ask about each role
    staff_actions = ROLE_ACTIONS
    proved_fields = frozenset({"permissions"})

    members_number = column("members_count", gettext_lazy("members"), is_figure=True)
    may_shown = column("may", gettext_lazy("what they do"))
    may_not_shown = column("may_not", gettext_lazy("what they can't do"))

    def head_of(self, request: HttpRequest, row: Role) -> Head:
        badge = Badge(_("part of the platform") if row.is_ready else _("of this school"))
        members = HeadFact(_("members"), str(row.user_set.count()))
        rights = HeadFact(_("rights"), str(row.permissions.count()))
        said = [row.may, row.may_not] if row.is_ready else []
        return Head(str(row), [badge], [members, rights], said)

    @display(description=gettext_lazy("role"))
    def title(self, role: Role) -> str:
        return str(role)

    def with_shown(self, rows: QuerySet[Role], request: HttpRequest) -> QuerySet[Role]:
        return rows.annotate(members_count=Count("user"))

    def found(self, rows: QuerySet[Role], text: str) -> QuerySet[Role]:
        """Among names that are few, some of them translated, and of no model of ours."""
        words = normalised(text).split()
        found = [
            role.pk
            for role in rows
            if all(one in normalised(f"{role} {role.name}") for one in words)
        ]
        return rows.filter(pk__in=found)

    def state_of(self, row: Role) -> frozenset[str]:
        """What its members may do: whom a colleague has added meanwhile is no matter."""
        return frozenset({row.name, *(f"may:{one.pk}" for one in row.permissions.all())})

    def has_view_permission(self, request: HttpRequest, obj: Role | None = None) -> bool:
        return can_give_rights(current_user(request))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return can_give_rights(current_user(request))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return can_give_rights(current_user(request))

    def has_change_permission(self, request: HttpRequest, obj: Role | None = None) -> bool:
        return can_give_rights(current_user(request))

    def has_delete_permission(self, request: HttpRequest, obj: Role | None = None) -> bool:
        """Those that are ready are part of the platform."""
        return can_give_rights(current_user(request)) and not (obj is not None and obj.is_ready)

    def get_fields(self, request: HttpRequest, obj: Role | None = None) -> Any:
        asked = [PROOF] if self.asks_proof(request) else []
        if obj is not None and obj.is_ready:
            return ["permissions", *asked]
        return ["name", "permissions", *asked]

    def get_inlines(self, request: HttpRequest, obj: Role | None) -> Any:
        return super().get_inlines(request, obj) if obj is not None else ()

    @override
    def get_form(
        self, request: HttpRequest, obj: Role | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if obj is not None and obj.is_ready:
            form.base_fields["permissions"].help_text = _(
                "An update of the platform sets these rights anew. For other rights, add a role of "
                "your own."
            )
        return form

    def formfield_for_manytomany(
        self, db_field: "ManyToManyField[Model, Model]", request: HttpRequest, **kwargs: object
    ) -> "forms.ModelMultipleChoiceField[Any] | None":
        if db_field.name != "permissions":
            return super().formfield_for_manytomany(db_field, request, **kwargs)
        return RightsField(label=capfirst(_("rights")))
