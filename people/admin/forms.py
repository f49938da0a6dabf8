"""Forms of people, their passwords and their roles."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.contrib.auth.forms import ReadOnlyPasswordHashWidget
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm as UnfoldPasswordForm
from unfold.forms import UserChangeForm as UnfoldUserChangeForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from people.hashers import composed
from people.mails import BLOCKED, MESSAGE, UNBLOCKED
from people.models import Role, User
from project.common.admin.filters import person_and_email, select_from
from project.common.admin.forms import RowsForm, reason_field
from project.common.admin.proof import ProvingForm
from project.common.admin.versions import VersionedForm
from project.mail.admin.telling import TellForm
from project.mail.admin.writing import MessageForm

if TYPE_CHECKING:
    from django.contrib.auth.forms import (
        AdminPasswordChangeForm,
        UserChangeForm,
    )
    from django.http import QueryDict

    _ChangeForm = UserChangeForm[User]
    _NewForm = forms.ModelForm[User]
    _PasswordForm = AdminPasswordChangeForm[User]
    _RolesField = forms.ModelMultipleChoiceField[Role]
else:
    _RolesField = forms.ModelMultipleChoiceField
    _ChangeForm, _NewForm = UnfoldUserChangeForm, forms.ModelForm
    _PasswordForm = UnfoldPasswordForm


class PasswordButton(ReadOnlyPasswordHashWidget):
    """Sets or resets the password; how it is kept is nobody's business."""

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        context = self.get_context(name, value, attrs)
        return render_to_string("admin/people/password.html", context)


class RolesField(_RolesField):
    """Roles to choose from, each with what its members do."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            queryset=Role.objects.order_by("id"),
            widget=UnfoldAdminCheckboxSelectMultipleWidget,
            label=_("Roles"),
            **options,
        )

    def label_from_instance(self, obj: Role) -> str:
        return f"{obj}. {obj.may} {obj.may_not}" if obj.is_ready else str(obj)


class GiveRolesForm(forms.Form):
    roles = RolesField()


class TakeRolesForm(RowsForm):
    roles = RolesField()

    def fit_to(self, rows: Sequence[User]) -> None:
        held = Role.objects.filter(user__in=rows).order_by("id").distinct()
        cast("RolesField", self.fields["roles"]).queryset = held


class AddMembersForm(forms.Form):
    people = forms.ModelMultipleChoiceField(
        label=_("People"),
        queryset=User.objects.not_erased(),
        widget=select_from("admin:people_role_people", AutocompleteSelectMultiple)(
            User.groups.through._meta.get_field("user"), admin.site
        ),
    )


class RemoveMembersForm(RowsForm):
    people = forms.ModelMultipleChoiceField(
        label=_("People"),
        queryset=User.objects.none(),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    def fit_to(self, rows: Sequence[Role]) -> None:
        members = User.objects.filter(groups__in=rows).order_by("email")
        field = cast("forms.ModelMultipleChoiceField[User]", self.fields["people"])
        field.queryset = members
        field.label_from_instance = person_and_email  # type: ignore[assignment,method-assign]


class PersonForm(_ChangeForm, ProvingForm, VersionedForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if field := self.fields.get("password"):
            field.widget, field.help_text = PasswordButton(), ""

    def _get_validation_exclusions(self) -> set[str]:
        """Whoever corrects one field need not mend others from before today's rules."""
        exclusions: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return exclusions | (self.fields.keys() - set(self.changed_data))

    class Meta:
        model = User
        fields = "__all__"


class ComposedPasswords:
    """Judges and compares what was typed as it is kept."""

    cleaned_data: dict[str, Any]

    def clean_password1(self) -> str:
        return composed(self.cleaned_data["password1"])

    def clean_password2(self) -> str:
        return composed(self.cleaned_data["password2"])


class NewPersonForm(_NewForm):
    """Who is added gets a mail, and chooses a password of their own."""

    class Meta:
        model = User
        fields = ("email", "first_name", "last_name", "language")

    def clean_email(self) -> str:
        """Whoever has an account is not invited to another one."""
        email = str(self.cleaned_data["email"])
        if known := User.objects.by_email(email).first():
            raise ValidationError(self.said_of(known))
        return email

    def said_of(self, person: User) -> SafeString:
        return format_html(
            '{} <a class="text-link" href="{}">{}</a>',
            _("An account with this email already exists."),
            reverse("admin:people_user_change", args=[person.pk]),
            person,
        )


class ColleagueForm(NewPersonForm, ProvingForm):
    roles = RolesField()

    def said_of(self, person: User) -> SafeString:
        """Offer to give the roles that were chosen to the account that is there."""
        said = super().said_of(person)
        if person.is_awaited:
            return format_html(
                "{}. {}", said, _("They have been invited but haven't accepted yet.")
            )
        address = reverse("admin:people_user_give_roles", args=[person.pk])
        chosen = urlencode({"roles": cast("QueryDict", self.data).getlist("roles")}, doseq=True)
        return format_html(
            '{}. <a class="text-link" href="{}?{}">{}</a>',
            said,
            address,
            chosen,
            _("Give the role"),
        )


class PasswordForm(ComposedPasswords, _PasswordForm):
    usable_password = None


class ReasonForm(forms.Form):
    reason = reason_field(
        max_length=500, help_text=_("Recorded in this person's history. Only staff can see it.")
    )


class BlockForm(TellForm):
    kind = BLOCKED
    reason = reason_field(
        max_length=500,
        help_text=_("Recorded in this person's history. The person reads it if you tell them."),
    )

    def person_of(self, row: User) -> User:
        return row


class UnblockForm(BlockForm):
    kind = UNBLOCKED


class WriteForm(MessageForm):
    kind = MESSAGE

    def person_of(self, row: User) -> User:
        return row


class KeepForm(forms.Form):
    reason = reason_field(
        max_length=500,
        help_text=_("Stays on this person's page as long as the account is kept."),
    )


class ErasureForm(forms.Form):
    reason = reason_field(
        max_length=500,
        help_text=_("Stays in the history of the account: don’t name the person here."),
    )
