"""What staff do with rows by a button: each is declared once, and asked about before it is done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MethodType
from typing import TYPE_CHECKING, Any, Protocol, cast
from uuid import UUID, uuid4

import unfold.decorators
from django import forms
from django.contrib import messages
from django.contrib.admin import ActionLocation
from django.contrib.admin.options import Action
from django.core import signing
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget

from project.common.admin.base import StaffAdmin, words_of
from project.common.admin.proof import ask_in, is_given
from project.common.errors import DomainError
from project.common.texts import LineField

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite
    from django_stubs_ext import StrOrPromise
    from unfold.dataclasses import UnfoldAction

    from people.models import User

type Answers = Mapping[str, Any]
type Facts = list[tuple[StrOrPromise, str]]
SEEN = "project.common.admin.seen"
DONE = gettext_lazy("%(rows)s: done (%(title)s).")


def reason_field(*, max_length: int, help_text: "StrOrPromise") -> LineField:
    return LineField(
        label=gettext_lazy("Reason"),
        max_length=max_length,
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
        help_text=help_text,
    )


class ReasonForm(forms.Form):
    reason = reason_field(
        max_length=200, help_text=gettext_lazy("Recorded with the action. Only staff can see it.")
    )


class RowsForm(forms.Form):
    """A form whose choices depend on the rows that it is about."""

    def fit_to(self, rows: Sequence[Any]) -> None:
        raise NotImplementedError


class Preview(Protocol):
    """A mail as it will look."""

    @property
    def subject(self) -> str: ...

    @property
    def html(self) -> str: ...


class PreviewForm(forms.Form):
    """A form whose answers are shown as they will look, and done only as they were shown."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        """Among the answers is the `key` of the preview that shows them; None if there is none."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        try:
            key, shown = signing.loads(cleaned.pop("seen", ""), salt=SEEN)
        except signing.BadSignature:
            key, shown = "", None
        cleaned["key"] = UUID(key) if shown == cleaned else None
        return cleaned

    def note_shown(self) -> None:
        """Put into the form what it shows, under a new key."""
        answers = {name: value for name, value in self.cleaned_data.items() if name != "key"}
        seen = signing.dumps([uuid4().hex, answers], salt=SEEN)
        self.data = {**{name: self.data[name] for name in self.data}, "seen": seen}


def _reason(answers: Answers) -> str:
    return str(answers.get("reason", ""))


@dataclass(frozen=True, kw_only=True)
class StaffAction[M: Model]:
    """A button, who may press it, and what it does.

    `allows` is about the person alone: it says whether a list offers the action. `allows_with` is
    about the person and a row. `fits` is about the row as it is now: its page offers only what
    fits, and of many rows those that don't are left out.

    `run` does it to one row, with what was answered; it may raise a DomainError. A text that it
    returns is said instead of `done`, which may have the places %(rows)s, %(number)d and %(title)s.
    The log has the title and `noted`; what `run` said as well, if `logs_outcome`.
    """

    name: str
    title: "StrOrPromise"
    icon: str
    explanation: "StrOrPromise | Callable[[M], StrOrPromise]"
    allows: "Callable[[User], bool]"
    allows_with: "Callable[[User, M], bool]" = lambda _user, _row: True
    fits: Callable[[M], bool] = lambda _row: True
    form: type[forms.Form] | None = None
    # With a PreviewForm: what is shown before it is done.
    preview: "Callable[[M, User, Answers], Preview] | None" = None
    run: "Callable[[M, User, Answers], object]"
    done: "StrOrPromise" = DONE
    noted: Callable[[Answers], str] = _reason
    logs_outcome: bool = False
    # Money or rights depend on it: asks for a code, or the password, unless that was just given.
    asks_code: bool = False
    # The list offers it for the rows that were chosen, and asks once about all of them or not.
    on_list: bool = False
    asks_on_list: bool = True
    variant: ActionVariant = ActionVariant.DEFAULT
    is_danger: bool = False
    under_more: bool = False

    def is_offered(self, user: "User", row: M) -> bool:
        return self.allows(user) and self.allows_with(user, row) and self.fits(row)

    def explain(self, row: M) -> "StrOrPromise":
        return self.explanation(row) if callable(self.explanation) else self.explanation


class ActionsAdmin[M: Model](StaffAdmin[M]):
    """A ModelAdmin with buttons. Its actions run outside of transactions: some speak to others."""

    staff_actions: Sequence[StaffAction[M]] = ()
    # Said to whom an old page offered what does not fit any more.
    misfit: "StrOrPromise" = gettext_lazy(
        "This is no longer possible: something has changed in the meantime."
    )

    def label_of(self, row: M) -> str:
        """How a message calls the row."""
        return str(row)

    def facts_of(self, row: M) -> Facts:
        """What a question shows of the row."""
        return [(self.opts.verbose_name or "", self.label_of(row))]

    def __init__(self, model: type[M], admin_site: "AdminSite") -> None:
        """Give Unfold a method for each action: it finds buttons by their names."""
        super().__init__(model, admin_site)
        for action in self.staff_actions:
            setattr(self, action.name, MethodType(_button(action), self))
        more = [action.name for action in self.staff_actions if action.under_more]
        self.actions_detail = [
            *(action.name for action in self.staff_actions if not action.under_more),
            {"title": gettext_lazy("More"), "items": more},
        ]

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> "list[UnfoldAction]":
        """Unfold's buttons for what may be done with the row as it is now."""
        row = self.get_object(request, object_id)
        return [
            self.get_unfold_action(action.name)
            for action in self.staff_actions
            if row and action.is_offered(_person(request), row)
        ]

    def get_actions(
        self, request: HttpRequest, action_location: ActionLocation = ActionLocation.CHANGE_LIST
    ) -> dict[str, Action | None]:
        """Add what the list offers, by names of their own: blocking many is `block_many`."""
        actions = super().get_actions(request, action_location=action_location)
        for action in self.staff_actions:
            if action.on_list and action.allows(_person(request)):
                ask = partial(type(self).ask_about_many, action=action)
                name, title = f"{action.name}_many", str(action.title)
                actions[name] = Action(ask, name, title, title, [ActionLocation.CHANGE_LIST])
        return actions

    def ask_about_one(
        self, request: HttpRequest, object_id: str, action: StaffAction[M]
    ) -> HttpResponse:
        """The page behind a button: a GET asks and changes nothing, a POST is the answer."""
        if not action.allows(_person(request)):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not action.allows_with(_person(request), row):
            raise PermissionDenied
        back, answered = self.url("change", row.pk), request.method == "POST"
        return self._ask(request, action, [row], back=back, answered=answered)

    def ask_about_many(
        self, request: HttpRequest, rows: QuerySet[M], action: StaffAction[M]
    ) -> HttpResponse:
        """The same for what was chosen in the list: for all of it or nothing."""
        chosen = list(self.with_shown(rows, request))
        back, answered = self.url("changelist"), "confirm" in request.POST
        refused = [row for row in chosen if not action.allows_with(_person(request), row)]
        if refused:
            text = _("Nothing was done. You are not allowed to do this to: %(rows)s.")
            names = ", ".join(map(self.label_of, refused))
            self.message_user(request, text % {"rows": names}, messages.ERROR)
            return HttpResponseRedirect(back)
        answered = answered or not action.asks_on_list
        return self._ask(request, action, chosen, back=back, answered=answered)

    def _ask(
        self,
        request: HttpRequest,
        action: StaffAction[M],
        rows: list[M],
        *,
        back: str,
        answered: bool,
    ) -> HttpResponse:
        rows = [row for row in rows if action.fits(row)]
        if not rows:
            self.message_user(request, str(self.misfit), messages.ERROR)
            return HttpResponseRedirect(back)
        form = self._form(request, action, rows, answered=answered)
        preview = None
        is_valid = answered and form.is_valid() and is_given(form, request)
        if is_valid and isinstance(form, PreviewForm) and not form.cleaned_data["key"]:
            assert action.preview is not None  # noqa: S101
            preview = action.preview(rows[0], _person(request), form.cleaned_data)
            form.note_shown()
        elif is_valid:
            gone = self._run(request, action, rows, form.cleaned_data)
            return HttpResponseRedirect(self.url("changelist") if gone else back)
        context = {
            **self.admin_site.each_context(request),
            "title": str(action.title),
            "opts": self.opts,
            "staff_action": action,
            "explanation": action.explain(rows[0]),
            "rows": rows,
            "facts": [fact for row in rows for fact in self.facts_of(row)],
            "form": form,
            "preview": preview,
            "is_first_shown": action.preview is not None and preview is None,
            "list_action": request.POST.get("action", ""),
            "back": back,
        }
        return TemplateResponse(request, "admin/ask.html", context)

    def _form(
        self, request: HttpRequest, action: StaffAction[M], rows: list[M], *, answered: bool
    ) -> forms.Form:
        """A link to the question may have chosen already."""
        given = request.POST if answered else None
        form = (action.form or forms.Form)(given, initial=dict(request.GET.lists()))
        if isinstance(form, RowsForm):
            form.fit_to(rows)
        if action.asks_code:
            ask_in(form, request)
        return form

    def _run(
        self, request: HttpRequest, action: StaffAction[M], rows: list[M], answers: Answers
    ) -> bool:
        """Do it to each row, say how it went and keep it in the log. Lists show the newest first,
        and what waits longest is done first. Returns whether the last row is gone."""
        note = ": ".join(filter(None, [str(action.title), action.noted(answers)]))
        done, gone = [], False
        for row in reversed(rows):
            try:
                said = action.run(row, _person(request), answers)
            except (DomainError, ObjectDoesNotExist) as error:
                name = f"{self.label_of(row)}: " if len(rows) > 1 else ""
                self.message_user(request, name + words_of(error), messages.ERROR)
                continue
            # As it is now: whoever was erased is not to be named.
            now = self.get_queryset(request).filter(pk=row.pk).first()
            gone = now is None
            outcome = str(said) if action.logs_outcome else ""
            self.log_change(request, now or row, ": ".join(filter(None, [note, outcome])))
            if isinstance(said, str):
                self.message_user(request, said, messages.SUCCESS)
            else:
                done.append(self.label_of(now or row))
        if done:
            known = {"rows": ", ".join(done), "number": len(done), "title": action.title}
            self.message_user(request, action.done % known, messages.SUCCESS)
        return gone


def _button(action: StaffAction[Any]) -> Any:
    """The method that Unfold draws a button from."""

    @unfold.decorators.action(  # type: ignore[untyped-decorator]
        description=action.title,
        icon=action.icon,
        url_path=action.name.replace("_", "-"),
        variant=action.variant,
    )
    def ask(model_admin: ActionsAdmin[Any], request: HttpRequest, object_id: str) -> HttpResponse:
        return model_admin.ask_about_one(request, object_id, action)

    return ask


def _person(request: HttpRequest) -> "User":
    return cast("User", request.user)
