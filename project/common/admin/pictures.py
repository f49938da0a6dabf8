"""Pictures in the forms of the admin."""

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from project.common.images import PREVIEW, PicturesBusy, Sizes, clean_image


class PictureField(forms.ImageField):
    """Takes what the API takes, and decodes nothing itself."""

    sizes: ClassVar[Sizes] = PREVIEW

    def to_python(self, data: Any) -> Any:
        upload = forms.FileField.to_python(self, data)
        try:
            return upload and clean_image(upload, self.sizes)
        except PicturesBusy as error:
            raise ValidationError(error.message, code=error.code) from None
