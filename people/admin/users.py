"""The list and the page of a person."""

from typing import TYPE_CHECKING, Any, cast, override

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from unfold.decorators import action

from people.admin.actions import PERSON_ACTIONS
from people.admin.enrolment import EnrolmentPage
from people.admin.filters import ReachFilter, RoleFilter, SoonBlockedFilter, StateFilter
from people.admin.forms import ColleagueForm, NewPersonForm, PasswordForm, PersonForm
from people.admin.head import PersonHead
from people.admin.inactivity import InactivityColumns
from people.admin.inlines import (
    AccessInline,
    AdminSessionInline,
    CourseInline,
    DeliveryInline,
    LogInInline,
    PaymentInline,
    StaffMessageInline,
    SubscriptionInline,
    TokenFamilyInline,
)
from people.admin.reach import ReachFields
from people.admin.recording import WaysElsewhere
from people.current_user import current_user
from people.models import BlockReason, Language, User
from people.models.querysets import UserQuerySet
from people.permissions import can_give_rights, can_invite, can_manage
from people.services.invitations import invite
from people.services.locks import lock_account
from people.services.staff import update_account
from project.common.admin.actions import Facts
from project.common.admin.base import FieldNames, Label, display, moment_shown, person_shown
from project.common.admin.filters import DaysFilter
from project.common.admin.heads import folded
from project.common.admin.proof import PROOF, ProvingAdmin
from project.common.admin.seen import Shown
from project.common.admin.versions import VersionedAdmin
from project.common.decisions import Decision
from project.common.versions import version_of
from project.mail.refusals import refusals_of

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    _DjangoUserAdmin = DjangoUserAdmin[User]
else:
    _DjangoUserAdmin = DjangoUserAdmin

NEW_PROFILE = ("first_name", "last_name", "language")

DECIDED = (
    "email", "email_confirmed_at", "is_active", "blocked_at", "blocked_reason", "kept_at",
    "kept_reason", "is_staff", "is_superuser",
)  # fmt: skip
INACTIVITY = ["blocked_from", "warned_on", "warning"]
KEPT = ["kept_at", "kept_reason"]


def is_of_colleague(request: HttpRequest) -> bool:
    """Whether this is the page that gives a new person roles."""
    match = request.resolver_match
    return match is not None and match.url_name == "people_user_invite_colleague"


@admin.register(User)
class UserAdmin(
    EnrolmentPage,
    InactivityColumns,
    ReachFields,
    _DjangoUserAdmin,
    ProvingAdmin[User],
    VersionedAdmin[User],
    WaysElsewhere,
    PersonHead,
):
    form = PersonForm
    add_form_template = "admin/people/new.html"
    change_password_form = PasswordForm
    list_display = (
        "person",
        "state",
        "role",
        "last_login",
        "date_joined",
    )
    list_filter = (
        StateFilter,
        SoonBlockedFilter,
        ReachFilter,
        RoleFilter,
        "is_staff",
        ("last_login", DaysFilter),
        ("date_joined", DaysFilter),
    )
    empty_text = gettext_lazy(
        "Everybody who has an account will appear here: learners, authors and staff."
    )
    found_with = ("invitation",)
    search_fields = ("email",)  # opens the search box; `found` searches
    search_help_text = gettext_lazy("Email, name, phone or city")
    ordering = ("-id",)
    sortable_by = ("person", "last_login", "date_joined")
    filter_horizontal = ()
    inlines = (
        SubscriptionInline,
        AccessInline,
        PaymentInline,
        CourseInline,
        StaffMessageInline,
        DeliveryInline,
        TokenFamilyInline,
        AdminSessionInline,
        LogInInline,
    )
    staff_actions = PERSON_ACTIONS
    actions_list = ("invite_colleague",)
    proved_fields = frozenset({"is_staff", "is_superuser", "roles"})

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        may = obj is None or can_manage(current_user(request), obj)
        return may and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nobody: payments and courses need their person. *Erase* takes the personal data away."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        if obj is None:
            return []
        facts = ["email_confirmed", "state", "blocked_at", "last_login", "date_joined", "roles"]
        facts += ["invited", "refusals", *INACTIVITY, *KEPT]
        rights = ["is_staff", "is_superuser"]
        return facts if can_give_rights(current_user(request)) else facts + rights

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        person = [
            "email",
            ["first_name", "last_name"],
            ["phone", "city"],
            ["language", "is_listed"],
            "course_mails",
        ]
        if obj is None:
            new = ["email", ["first_name", "last_name"], "language"]
            roles = ["roles", *self.asked(request)] if is_of_colleague(request) else []
            return [(None, {"fields": [*new, *roles]})]
        may_change = self.has_change_permission(request, obj)
        shows_password = may_change and not obj.is_awaited
        asked = self.asked(request) if may_change else []
        refused = [(_("Undelivered email"), {"fields": ["refusals"]})] if refusals_of([obj]) else []
        invited = [["invited"]] if obj.is_awaited else []
        kept = [KEPT] if obj.kept_at else []
        account: FieldNames = [
            "email_confirmed",
            ["state", "blocked_at"],
            ["last_login", "date_joined"],
        ]
        return [
            (None, {"fields": [*person, *(["password"] if shows_password else [])]}),
            *refused,
            (_("Permissions"), {"fields": [["is_staff", "is_superuser"], *asked, "roles"]}),
            folded(*account, *invited, INACTIVITY, *kept),
        ]

    def asked(self, request: HttpRequest) -> list[str]:
        """The field for a code, where rights are to be given."""
        is_asked = can_give_rights(current_user(request)) and self.asks_proof(request)
        return [PROOF] if is_asked else []

    def has_add_permission(self, request: HttpRequest) -> bool:
        return can_invite(current_user(request))

    def has_invite_permission(self, request: HttpRequest) -> bool:
        return can_give_rights(current_user(request))

    @action(  # type: ignore[untyped-decorator]
        description=gettext_lazy("Invite a colleague"),
        permissions=["invite"],
        url_path="invite",
        icon="person_add",
    )
    def invite_colleague(self, request: HttpRequest) -> HttpResponse:
        """The page of a new person, with roles."""
        return self.add_view(request, extra_context={"title": _("Invite a colleague")})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, str | list[str]]:
        """Whoever is added most likely reads what the one who adds them reads."""
        initial = super().get_changeform_initial_data(request)
        return {"language": Language.of_code(get_language()), **initial}

    @override
    def get_form(
        self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = ColleagueForm if is_of_colleague(request) else NewPersonForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        """Nobody has courses before they exist."""
        return super().get_inlines(request, obj) if obj is not None else ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).select_related("invitation")

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
        people = super().with_shown(rows, request)
        return people.select_related("invitation").prefetch_related("groups")

    def found(self, rows: QuerySet[User], text: str) -> QuerySet[User]:
        return cast(UserQuerySet, rows).found_by_staff(text)

    def told_apart(self, request: HttpRequest, row: User) -> list[str]:
        return [row.email, str(self.state(row))]

    @display(description=gettext_lazy("person"), ordering="email")
    def person(self, person: User) -> "SafeString":
        is_known = person.is_email_confirmed or person.is_awaited
        return person_shown(person, "" if is_known else _("email not confirmed"))

    @display(description=gettext_lazy("email confirmed"), label={"yes": "success", "no": "warning"})
    def email_confirmed(self, person: User) -> Label:
        if person.email_confirmed_at is None:
            return Label("no", _("not confirmed"))
        return Label("yes", moment_shown(person.email_confirmed_at))

    @override
    def save_model(self, request: HttpRequest, obj: User, form: PersonForm, change: bool) -> None:
        if not change:
            made = invite(
                email=obj.email,
                profile={name: getattr(obj, name) for name in NEW_PROFILE},
                roles=form.cleaned_data.get("roles", ()),
                by=current_user(request),
            )
            vars(obj).update(vars(made))
            self.message_user(request, _("An invitation was sent to %s.") % made.email)
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

    def state_of(self, row: User) -> frozenset[str]:
        """What was decided about the person; not what they say of themselves."""
        decided = [getattr(row, name) for name in DECIDED]
        sent = row.invitation.sent_at if row.is_awaited else None
        roles = sorted(role.pk for role in row.groups.all())
        return frozenset({version_of([*decided, sent, roles])})

    def decision_since(self, row: User, shown: Shown) -> Decision | None:
        by_staff = super().decision_since(row, shown)
        at, why = row.blocked_at, row.get_blocked_reason_display()
        if by_staff is None and at and at >= shown.at and not row.is_blocked_by_staff:
            return Decision(name="", what=why, who=_("the worker"), at=at)
        return by_staff

    def facts_of(self, row: User) -> Facts:
        return [(_("person"), str(row)), (_("email"), row.email)]
