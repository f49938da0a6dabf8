"""Fields that keep what people type in one form."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.db import models
from django.utils.translation import gettext_lazy as _

from people.validators import read_phone, validate_name, validate_phone
from project.common.mailboxes import canonical

if TYPE_CHECKING:
    _EmailField = models.EmailField[str, str]
    _CharField = models.CharField[str, str]
else:
    _EmailField, _CharField = models.EmailField, models.CharField

# More than any spelling of a phone number has.
LONGEST_PHONE = 40


class MailboxInput(forms.EmailField):
    """Browsers show and send the form for servers."""

    def to_python(self, value: Any) -> Any:
        return canonical(super().to_python(value) or "")

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.to_python(initial), data)


class KeptPlain:
    """For migrations a plain field."""

    plain = "CharField"

    def deconstruct(self) -> Any:
        name, _path, args, options = super().deconstruct()  # type: ignore[misc]
        return name, f"django.db.models.{self.plain}", args, options


class MailboxField(KeptPlain, _EmailField):
    """An address in its one form (docs/rules.md, 2.2), brought into it by `clean_fields` and by
    fixtures. A row that is not in it, because another one is, is saved as it is."""

    plain = "EmailField"
    default_error_messages = {"unique": _("An account with this email already exists.")}

    def to_python(self, value: Any) -> Any:
        return canonical(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        return models.Field.get_prep_value(self, value)

    def formfield(self, **options: Any) -> Any:
        return super().formfield(**{"form_class": MailboxInput, **options})


class PhoneInput(forms.CharField):
    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        return read_phone(text or "") or text


class PhoneField(KeptPlain, _CharField):
    """A phone number in E.164 (docs/rules.md, 2.4), brought into it as addresses are."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # What is too long is no number: once is enough to say so.
        self.validators = [validate_phone]

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        return read_phone(text or "") or text

    def formfield(self, **options: Any) -> Any:
        longest = {"form_class": PhoneInput, "max_length": LONGEST_PHONE}
        return super().formfield(**{**longest, **options})


class NameField(KeptPlain, _CharField):
    """What a person or a place is called (docs/rules.md, 2.12)."""

    default_validators = [validate_name]
