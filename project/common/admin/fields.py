"""Fields of the forms of the admin."""

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from project.common.images import PREVIEW, PicturesBusy, Sizes, chosen, clean_image
from project.common.texts import one_line


class PictureField(forms.ImageField):
    """Takes larger photographs than the API, and decodes nothing itself."""

    sizes: ClassVar[Sizes] = PREVIEW

    def to_python(self, data: Any) -> Any:
        upload = forms.FileField.to_python(self, data)
        try:
            return upload and clean_image(upload, self.sizes, chosen())
        except PicturesBusy as error:
            raise ValidationError(error.message, code=error.code) from None


class TextField(forms.CharField):
    """Browsers end lines as mail does. What was typed elsewhere ends them otherwise, and is no other
    text."""

    def to_python(self, value: Any) -> str:
        return "\n".join((super().to_python(value) or "").split("\r\n"))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.to_python(initial), self.to_python(data))


class LineField(forms.CharField):
    """Takes the text as one line. What nothing is left of is empty."""

    def to_python(self, value: Any) -> str:
        return one_line(super().to_python(value) or "")
