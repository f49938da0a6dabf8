"""Fields of the forms of the admin."""

from base64 import b64encode
from copy import deepcopy
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminImageFieldWidget

from project.common import chosen_pictures
from project.common.images import (
    PREVIEW,
    Picture,
    PicturesBusy,
    Sizes,
    chosen,
    clean_image,
    thumbnail_of,
)

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    _PictureWidget = forms.ClearableFileInput
    _Admin = ModelAdmin[Any]
else:
    _PictureWidget, _Admin = UnfoldAdminImageFieldWidget, object


# What stands for a chosen picture that was promised to be kept, and is not there any more.
NOT_KEPT = object()


class PictureWidget(_PictureWidget):
    """Shows the picture, and one that was chosen before an error: it need not be chosen again."""

    template_name = "admin/picture.html"
    # Of who looks at the form, set by its admin: nothing is kept for nobody.
    person_id: int | None = None
    # What was chosen in this form, and what its page sends to get it back.
    picture: Picture | None = None
    token = ""

    class Media:
        js = ("parta/pictures.js",)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        given = super().value_from_datadict(data, files, name)
        self.token = "" if f"{name}-leave" in data else data.get(f"{name}-chosen", "")
        if given is not None or not self.token:
            return given
        return self._kept() or NOT_KEPT

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        self.picture = self.picture or self._kept()
        if self.picture and self.person_id:
            if not self.picture.chosen:
                self.token = chosen_pictures.keep(self.picture, person_id=self.person_id)
            thumbnail = self.picture.thumbnail or self.picture.content
            shown = f"data:image/webp;base64,{b64encode(thumbnail).decode()}"
            context["widget"] |= {"token": self.token, "shown": shown}
        elif self.is_initial(value):
            context["widget"]["shown"] = value.storage.url(thumbnail_of(value.name))
        return context

    def _kept(self) -> Picture | None:
        if not (self.token and self.person_id):
            return None
        return chosen_pictures.kept(self.token, person_id=self.person_id)


class PictureField(forms.ImageField):
    """Takes larger photographs than the API, and decodes nothing itself."""

    sizes: ClassVar[Sizes] = PREVIEW
    widget = PictureWidget

    def to_python(self, data: Any) -> Picture | None:
        """The name of the file is no matter, as it is not kept."""
        if data in self.empty_values:
            return None
        if data is NOT_KEPT:
            text = _(
                "The picture that you chose is not kept any more. Choose it again, or save without."
            )
            raise ValidationError(text, code="picture_not_kept")
        self.widget.picture = data if isinstance(data, Picture) else self._read(data)
        return self.widget.picture

    def _read(self, upload: Any) -> Picture:
        try:
            return clean_image(upload, self.sizes, chosen())
        except PicturesBusy as error:
            raise ValidationError(error.message, code=error.code) from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What is saved; the widget knows what was chosen."""
        return initial

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """An iPhone that is told what is taken sends a JPEG of its own accord."""
        return {"accept": "image/jpeg,image/png,image/webp"}


class PicturesAdmin(_Admin):
    """Part of an admin whose form has a picture."""

    formfield_overrides: ClassVar[Any] = {
        models.ImageField: {"form_class": PictureField, "widget": PictureWidget}
    }

    def formfield_for_dbfield(
        self, db_field: "models.Field[Any, Any]", request: HttpRequest, **options: Any
    ) -> forms.Field | None:
        field = super().formfield_for_dbfield(db_field, request, **options)
        if isinstance(field, PictureField):
            field.widget.person_id = request.user.pk
            field.widget.attrs["data-url"] = reverse(f"admin:{self._picture_url}")
        return field

    @property
    def _picture_url(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_picture"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.picture_view)
        return [path("picture/", view, name=self._picture_url), *super().get_urls()]

    def picture_view(self, request: HttpRequest) -> HttpResponse:
        """Keep a picture that was just chosen, and show the field with it."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        fields = deepcopy(self.get_form(request).base_fields).values()
        field = next(one for one in fields if isinstance(one, PictureField))
        try:
            field.clean(request.FILES.get("picture"))
        except ValidationError as error:
            is_busy = error.code == PicturesBusy.code
            status = HTTPStatus.SERVICE_UNAVAILABLE if is_busy else HTTPStatus.OK
            return JsonResponse({"refusal": " ".join(error.messages)}, status=status)
        widget: Any = field.widget
        own_id = {"id": request.POST.get("id", "")}
        return JsonResponse({"html": widget.render(request.POST.get("name", ""), None, own_id)})


class TextField(forms.CharField):
    """Browsers end lines as mail does. What was typed elsewhere ends them otherwise, and is no other
    text."""

    def to_python(self, value: Any) -> str:
        return "\n".join((super().to_python(value) or "").split("\r\n"))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.to_python(initial), self.to_python(data))
