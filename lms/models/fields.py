"""Fields that keep what authors paste in one form."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

from lms.validators import stored_video_url, validate_video_url
from lms.videos import LONGEST_PASTE
from people.models.fields import KeptPlain
from project.common.texts import LineField, one_line

if TYPE_CHECKING:
    _CharField = models.CharField[str, str]
else:
    _CharField = models.CharField


def _stored_or_as_typed(text: Any) -> Any:
    with suppress(ValidationError):
        return stored_video_url(text)
    return text


class TitleField(KeptPlain, _CharField):
    """One line (docs/rules.md, 6.1), made of what was pasted by `clean_fields` and by fixtures."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        return one_line(text) if isinstance(text, str) else text

    def get_prep_value(self, value: Any) -> Any:
        return models.Field.get_prep_value(self, value)

    def formfield(self, *args: Any, **options: Any) -> Any:
        return super().formfield(*args, **{"form_class": LineField, **options})


class VideoInput(forms.CharField):
    """Not for addresses only: browsers would refuse a share text and embed code."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        # The limits are those of what was pasted.
        self.run_validators(text)
        return _stored_or_as_typed(text)


class VideoField(KeptPlain, _CharField):
    """The address of a video in its one form (docs/rules.md, 7.2), brought into it by `clean_fields` and
    by fixtures. A row from before the rule is saved as it is."""

    plain = "URLField"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # What is too long is no video: once is enough to say so.
        self.validators = [validate_video_url]

    def to_python(self, value: Any) -> Any:
        return _stored_or_as_typed(super().to_python(value))

    def get_prep_value(self, value: Any) -> Any:
        return models.Field.get_prep_value(self, value)

    def formfield(self, *args: Any, **options: Any) -> Any:
        longest = {"form_class": VideoInput, "max_length": LONGEST_PASTE}
        return super().formfield(*args, **{**longest, **options})
