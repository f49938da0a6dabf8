"""Fields that keep what people type in one form."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.db import models
from django.utils.translation import gettext_lazy as _

from project.common.mailboxes import canonical

if TYPE_CHECKING:
    _EmailField = models.EmailField[str, str]
else:
    _EmailField = models.EmailField


class MailboxInput(forms.EmailField):
    """Browsers show and send the form for servers."""

    def to_python(self, value: Any) -> Any:
        return canonical(super().to_python(value) or "")

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.to_python(initial), data)


class MailboxField(_EmailField):
    """An address in its one form (docs/rules.md, 2.2), brought into it by `clean_fields` and by
    fixtures. A row that is not in it, because another one is, is saved as it is."""

    default_error_messages = {"unique": _("An account with this email already exists.")}

    def to_python(self, value: Any) -> Any:
        return canonical(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        return models.Field.get_prep_value(self, value)

    def formfield(self, **options: Any) -> Any:
        return super().formfield(**{"form_class": MailboxInput, **options})

    def deconstruct(self) -> Any:
        """For migrations a plain field."""
        name, _path, args, options = super().deconstruct()
        return name, "django.db.models.EmailField", args, options
