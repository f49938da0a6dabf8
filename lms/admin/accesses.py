"""Who may learn what: staff look it up, give it and take it back."""

from functools import partial
from typing import TYPE_CHECKING, Any, cast, override

from django import forms
from django.contrib import admin, messages
from django.db.models import ForeignKey, Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from lms import permissions
from lms.mails import GIVEN, REVOKED
from lms.models import Access, AccessSource, Course, Lesson
from lms.models.access import AccessQuerySet
from lms.services import accesses
from people.current_user import current_user
from people.models import User
from people.models.querysets import NAME_SEARCHES
from project.common.admin.actions import ActionsAdmin, Facts, StaffAction
from project.common.admin.base import (
    FieldNames,
    Fieldsets,
    Label,
    ReadOnly,
    clocked,
    column,
    display,
    moment_shown,
    person_shown,
)
from project.common.admin.filters import (
    Choices,
    ChoosingAdmin,
    DaysFilter,
    SubsetFilter,
    choose_from,
    person_and_email,
    select_from,
)
from project.common.admin.heads import Badge, Head, HeadedAdmin, HeadFact, fact_about, folded
from project.mail.admin.telling import TellForm, TellReasonForm

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    _ModelForm = forms.ModelForm[Access]
else:
    _ModelForm = forms.ModelForm

STATE_COLOURS = {"active": "success", "revoked": "default"}


class StateFilter(SubsetFilter):
    title = gettext_lazy("state")
    parameter_name = "state"
    subsets = {
        "active": ("active", gettext_lazy("active")),
        "revoked": ("revoked", gettext_lazy("revoked")),
    }


class GivenForm(TellReasonForm):
    kind = GIVEN


class AccessForm(_ModelForm):
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=200, widget=UnfoldAdminTextInputWidget
    )
    tell = GivenForm.base_fields["tell"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "course" in cleaned and "lesson" in cleaned:
            targets = [cleaned["course"], cleaned["lesson"]]
            if targets.count(None) != 1:
                raise forms.ValidationError(_("Choose either a course or a lesson."))
        return cleaned


class RevokeForm(TellForm):
    kind = REVOKED

    def person_of(self, row: Access) -> User:
        return row.user


REVOKE = StaffAction[Access](
    name="revoke",
    title=gettext_lazy("Revoke"),
    icon="key_off",
    is_danger=True,
    explanation=gettext_lazy("They will lose access unless they also have it in another way."),
    allows=permissions.can_revoke_access,
    fits=lambda access: access.is_revocable,
    form=RevokeForm,
    run=lambda access, _by, answers: accesses.take_back(access=access, **answers),
    done=gettext_lazy("The access was revoked."),
)


@admin.register(Access)
class AccessAdmin(ReadOnly, ChoosingAdmin[Access], ActionsAdmin[Access], HeadedAdmin[Access]):
    """Rights are not edited: they are given and taken back."""

    form = AccessForm
    choices = {
        "courses": Choices(Course.objects.all, ["searched"]),
        "lessons": Choices(
            partial(Lesson.objects.select_related, "course"),
            ["searched"],
            lambda lesson: f"{lesson} · {lesson.course}",
        ),
        "people": Choices(User.objects.all, NAME_SEARCHES, person_and_email),
    }
    list_display = ("learner", "target", "state", "source", "created_at", "revoked_at")
    list_filter = (
        StateFilter,
        ("source", ChoicesDropdownFilter),
        ("course", choose_from("admin:lms_access_courses")),
        ("user", choose_from("admin:lms_access_people")),
        ("created_at", DaysFilter),
    )
    empty_text = gettext_lazy(
        "Who may learn what will appear here: they bought it, or staff gave them access."
    )
    found_with = ("user", "course", "lesson")
    search_fields = ("user__email",)  # opens the search box; `found` searches
    search_help_text = gettext_lazy("Learner's name or email")
    ordering = ("-id",)
    sortable_by = ()
    actions = None
    staff_actions = (REVOKE,)
    misfit = accesses.NotRevocable.message

    target = column("target", gettext_lazy("for"))

    def has_view_permission(self, request: HttpRequest, obj: Access | None = None) -> bool:
        return permissions.can_see_accesses(current_user(request))

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_view_permission(request) and permissions.can_grant_access(
            current_user(request)
        )

    def with_shown(self, rows: QuerySet[Access], request: HttpRequest) -> QuerySet[Access]:
        return rows.select_related("user", "course", "lesson")

    def told_apart(self, request: HttpRequest, row: Access) -> list[str]:
        return [row.get_source_display(), str(self.state(row))]

    def found(self, rows: QuerySet[Access], text: str) -> QuerySet[Access]:
        return cast(AccessQuerySet, rows).of_people_like(text)

    @display(description=gettext_lazy("learner"))
    def learner(self, access: Access) -> "SafeString":
        return person_shown(access.user)

    @display(description=gettext_lazy("state"), label=STATE_COLOURS)
    def state(self, access: Access) -> Label:
        return Label("revoked", _("revoked")) if access.revoked_at else Label("active", _("active"))

    def head_of(self, request: HttpRequest, row: Access) -> Head:
        label = self.state(row)
        facts = [
            fact_about(request, _("learner"), row.user, note=row.user.email),
            fact_about(request, _("for"), row.target),
            HeadFact(_("since"), clocked(row.created_at)),
            HeadFact(_("source"), row.get_source_display()),
        ]
        if row.given_by:
            facts.append(fact_about(request, _("given by"), row.given_by))
        if row.reason:
            facts.append(HeadFact(_("reason"), row.reason))
        if row.revoked_at:
            day = moment_shown(row.revoked_at)
            facts.append(HeadFact(_("revoked at"), day, note=row.revoked_reason))
        return Head(str(row), [Badge(label.text, STATE_COLOURS[label.key])], facts)

    def get_fieldsets(self, request: HttpRequest, obj: Access | None = None) -> Fieldsets:
        whom: FieldNames = ["user", "course", "lesson"]
        if obj is None:
            return [(None, {"fields": [*whom, "reason", "tell"]})]
        given = ["source", "created_at", "given_by", "reason", "is_reason_told"]
        taken = ["revoked_at", "revoked_reason"] if obj.revoked_at else []
        return [folded(*whom, *given, *taken)]

    def formfield_for_foreignkey(
        self, db_field: "ForeignKey[Model, Model]", request: HttpRequest, **kwargs: object
    ) -> "forms.ModelChoiceField[Model] | None":
        names = {"user": "people", "course": "courses", "lesson": "lessons"}
        address = f"admin:lms_access_{names[db_field.name]}"
        kwargs["widget"] = select_from(address)(db_field, self.admin_site)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @override
    def save_model(self, request: HttpRequest, obj: Access, form: AccessForm, change: bool) -> None:
        access, is_new = accesses.grant_access(
            user=obj.user,
            target=obj.target,
            source=AccessSource.GRANT,
            given_by=current_user(request),
            reason=obj.reason,
            tell=form.cleaned_data["tell"],
        )
        vars(obj).update(vars(access))
        if not is_new:
            self.message_user(request, _("They already had this access."), messages.WARNING)
        for unreached in GivenForm().unreached([access.user]):
            self.message_user(request, unreached, messages.WARNING)

    def facts_of(self, row: Access) -> Facts:
        return [
            (_("Learner"), f"{row.user} ({row.user.email})"),
            (_("For"), str(row.target)),
            (_("Source"), row.get_source_display()),
        ]
