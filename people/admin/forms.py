"""Forms of people and their passwords."""

from typing import TYPE_CHECKING, Any

from django.contrib.auth.forms import ReadOnlyPasswordHashWidget
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.forms import AdminPasswordChangeForm as UnfoldPasswordForm
from unfold.forms import UserChangeForm as UnfoldUserChangeForm
from unfold.forms import UserCreationForm as UnfoldUserCreationForm

from people.models import User
from project.common.admin.versions import VersionedForm

if TYPE_CHECKING:
    from django.contrib.auth.forms import (
        AdminPasswordChangeForm,
        AdminUserCreationForm,
        UserChangeForm,
    )

    _ChangeForm = UserChangeForm[User]
    _CreationForm = AdminUserCreationForm[User]
    _PasswordForm = AdminPasswordChangeForm[User]
else:
    _ChangeForm, _CreationForm = UnfoldUserChangeForm, UnfoldUserCreationForm
    _PasswordForm = UnfoldPasswordForm


class PasswordButton(ReadOnlyPasswordHashWidget):
    """Sets or resets the password; how it is kept is nobody's business."""

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        context = self.get_context(name, value, attrs)
        return render_to_string("admin/people/password.html", context)


class PersonForm(_ChangeForm, VersionedForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if field := self.fields.get("password"):
            field.widget, field.help_text = PasswordButton(), ""

    class Meta:
        model = User
        fields = "__all__"


class NewPersonForm(_CreationForm):
    # There is no other way in than a password.
    usable_password = None  # type: ignore[assignment]

    class Meta:
        model = User
        fields = ("email", "first_name", "last_name", "language")


class PasswordForm(_PasswordForm):
    usable_password = None
