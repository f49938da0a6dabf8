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
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget

from project.common.admin.base import words_of
from project.common.admin.proof import ask_in, is_given
from project.common.admin.seen import SeenAdmin, Shown, shown_to, signed
from project.common.admin.typed import TYPED, TypedField
from project.common.decisions import DecidedMeanwhile
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

    The question carries the state of each row (`ActionsAdmin.state_of`). Of a row that somebody
    decided about since, nothing is done, and it is asked again. Two who answer at the same moment
    are told apart by the service alone: with `takes_seen`, `run` finds among the answers what was
    `seen` of the row, for `project.common.decisions.require_seen` to compare under a lock.
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
    takes_seen: bool = False
    # What can't be undone: the text to type before it is done, which names whom or what it ends.
    # Asked for one row at a time; empty: nothing.
    typed: Callable[[M], str] = lambda _row: ""
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


class ActionsAdmin[M: Model](SeenAdmin[M]):
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
            return self.say_gone(request, object_id)
        if not action.allows_with(_person(request), row):
            raise PermissionDenied
        return self._ask(request, action, [row], many=False, answered=request.method == "POST")

    def ask_about_many(
        self, request: HttpRequest, rows: QuerySet[M], action: StaffAction[M]
    ) -> HttpResponse:
        """The same for what was chosen in the list. Whoever may not do it to all of it, does nothing;
        what it does not fit any more is left out and named."""
        chosen = list(self.with_shown(rows, request))
        refused = [row for row in chosen if not action.allows_with(_person(request), row)]
        if refused:
            text = _("Nothing was done. You are not allowed to do this to: %(rows)s.")
            names = ", ".join(map(self.label_of, refused))
            self.message_user(request, text % {"rows": names}, messages.ERROR)
            return HttpResponseRedirect(self.url("changelist"))
        answered = "confirm" in request.POST or not action.asks_on_list
        return self._ask(request, action, chosen, many=True, answered=answered)

    def _ask(
        self,
        request: HttpRequest,
        action: StaffAction[M],
        rows: list[M],
        *,
        many: bool,
        answered: bool,
    ) -> HttpResponse:
        shown = shown_to(request) if answered else None
        back = self.url("changelist") if many or not rows else self.url("change", rows[0].pk)
        rows, notices, is_outdated = self._sorted_out(
            action, rows, shown, many=many, answered=answered
        )
        if not rows:
            for notice in notices:
                self.message_user(request, notice, messages.ERROR)
            return HttpResponseRedirect(back)
        form = self._form(request, action, rows, answered=answered, is_outdated=is_outdated)
        preview = None
        is_valid = not is_outdated and answered and form.is_valid() and is_given(form, request)
        if is_valid:
            form.cleaned_data.pop(TYPED, None)
        if is_valid and isinstance(form, PreviewForm) and not form.cleaned_data["key"]:
            assert action.preview is not None  # noqa: S101
            preview = action.preview(rows[0], _person(request), form.cleaned_data)
            form.note_shown()
        elif is_valid:
            for notice in notices:
                self.message_user(request, notice, messages.ERROR)
            try:
                gone = self._run(request, action, rows, form.cleaned_data, shown)
            except DecidedMeanwhile as error:
                # At the same moment: asked again, it sees what was decided.
                self.message_user(request, str(error), messages.ERROR)
                return HttpResponseRedirect(request.get_full_path())
            return HttpResponseRedirect(self.url("changelist") if gone else back)
        context = {
            **self.admin_site.each_context(request),
            "title": str(action.title),
            "opts": self.opts,
            "staff_action": action,
            "heading": self._heading(action, rows),
            "explanation": action.explain(rows[0]),
            "notices": notices,
            "rows": rows,
            "facts": [self.facts_of(row) for row in rows],
            "seen": signed({row.pk: self.state_of(row) for row in rows}),
            "form": form,
            "preview": preview,
            "is_first_shown": action.preview is not None and preview is None,
            "list_action": request.POST.get("action", ""),
            "back": back,
        }
        return TemplateResponse(request, "admin/ask.html", context)

    def _heading(self, action: StaffAction[M], rows: list[M]) -> str:
        what = self.label_of(rows[0]) if len(rows) == 1 else str(len(rows))
        return f"{action.title}: {what}"

    def _sorted_out(
        self,
        action: StaffAction[M],
        rows: list[M],
        shown: Shown | None,
        *,
        many: bool,
        answered: bool,
    ) -> tuple[list[M], list[str], bool]:
        """The rows to ask about or to do it to; what is said of the others; and whether the only row
        is not as it was seen, and so has to be asked about again."""
        news = {row: self.news_of(row, shown) for row in rows}
        left = [row for row in rows if action.fits(row) and not (many and news[row])]
        names = {row: f"{self.label_of(row)}: " if many else "" for row in rows}
        notices = [f"{names[row]}{error}" for row, error in news.items() if error]
        misfits = [self.label_of(row) for row in rows if not news[row] and row not in left]
        if misfits and left and not answered:
            text = _("Left out, because it does not fit them: %(rows)s.")
            notices.append(text % {"rows": ", ".join(misfits)})
        if not left and not notices:
            notices.append(str(self.misfit))
        return left, notices, bool(left and not many and news[left[0]])

    def _form(
        self,
        request: HttpRequest,
        action: StaffAction[M],
        rows: list[M],
        *,
        answered: bool,
        is_outdated: bool,
    ) -> forms.Form:
        """A link to the question may have chosen already. Who is asked again finds what they typed."""
        make, initial = action.form or forms.Form, dict(request.GET.lists())
        if is_outdated:
            typed = make(request.POST).visible_fields()
            initial = {field.name: field.data for field in typed}
        form = make(request.POST if answered and not is_outdated else None, initial=initial)
        if isinstance(form, RowsForm):
            form.fit_to(rows)
        if len(rows) == 1 and (text := action.typed(rows[0])):
            form.fields[TYPED] = TypedField(text)
        if action.asks_code:
            ask_in(form, request)
        return form

    def _run(
        self,
        request: HttpRequest,
        action: StaffAction[M],
        rows: list[M],
        answers: Answers,
        shown: Shown | None,
    ) -> bool:
        """Do it to each row, say how it went and keep it in the log. Lists show the newest first,
        and what waits longest is done first. Returns whether the last row is gone. Raises
        DecidedMeanwhile for a single row."""
        note = ": ".join(filter(None, [str(action.title), action.noted(answers)]))
        done, gone = [], False
        for row in reversed(rows):
            seen = {"seen": shown and shown.state_of(row.pk)} if action.takes_seen else {}
            try:
                said = action.run(row, _person(request), {**answers, **seen})
            except (DomainError, ObjectDoesNotExist) as error:
                if isinstance(error, DecidedMeanwhile) and len(rows) == 1:
                    raise
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
