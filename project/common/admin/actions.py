"""What staff do with rows by a button: each is declared once, and asked about before it is done."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import MethodType
from typing import TYPE_CHECKING, Any, Self, cast

import unfold.decorators
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import ActionLocation
from django.contrib.admin.options import Action
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant

from project.common.admin.base import words_of
from project.common.admin.forms import Answers, Preview, PreviewForm, RowsForm
from project.common.admin.log import noted
from project.common.admin.nouns import counted
from project.common.admin.proof import ask_in, is_given
from project.common.admin.seen import SeenAdmin, Shown, shown_to, signed
from project.common.admin.typed import TYPED, TypedField
from project.common.decisions import DecidedMeanwhile
from project.common.errors import DomainError

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite
    from django_stubs_ext import StrOrPromise
    from unfold.dataclasses import UnfoldAction

    from people.models import User

type Facts = list[tuple[StrOrPromise, str]]
# What a question has beside its rows and its form, as the token, with something to spare.
FIELDS_BESIDE = 20
DONE = gettext_lazy("%(rows)s: done (%(title)s).")


def _most_at_once(form: forms.Form, rows: Sequence[Model]) -> int:
    """About how many rows like these the answer may be: Django refuses a request with more fields."""
    left = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS - FIELDS_BESIDE
    return left * len(rows) // (len(form.fields) + len(rows))


def _reason(answers: Answers) -> str:
    return str(answers.get("reason", ""))


class Outcome(str):
    """What `run` says, and what the log says of it (`log.noted`)."""

    parts: Sequence[dict[str, Any]]

    def __new__(cls, text: str, parts: Sequence[dict[str, Any]]) -> Self:
        outcome = super().__new__(cls, text)
        outcome.parts = parts
        return outcome


@dataclass(frozen=True, kw_only=True)
class StaffAction[M: Model]:
    """A button, who may press it, and what it does.

    `allows` is about the person alone: it says whether a list offers the action. `allows_with` is
    about the person and a row. `fits` is about the row as it is now: its page offers only what
    fits, and of many rows those that don't are left out.

    `run` does it to one row, with what was answered; it may raise a DomainError. A text that it
    returns is said instead of `done`, which may have the places %(rows)s, %(number)d and %(title)s.
    The log has the title and `noted`, and the parts of what `run` said, if that is an Outcome.

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
    # Money or rights depend on it: asks for a code, or the password, unless that was just given.
    asks_code: bool = False
    takes_seen: bool = False
    # What can't be undone: the text to type before it is done, which names whom or what it ends.
    # Asked for one row at a time; empty: nothing.
    typed: Callable[[M], str] = lambda _row: ""
    # The list offers it for the rows that were chosen, and asks once about all of them or not.
    on_list: bool = False
    asks_on_list: bool = True
    # For many rows, where they are asked about otherwise than one, and what is said of those done.
    form_for_many: type[RowsForm] | None = None
    done_for_many: "Callable[[Sequence[M]], StrOrPromise] | None" = None
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
        names = self.buttons_of(request, row) if row else []
        return [self.get_unfold_action(name) for name in names]

    def buttons_of(self, request: HttpRequest, row: M) -> list[str]:
        """The names of the buttons on the page of a row. Override it for those that lead elsewhere."""
        user = _person(request)
        return [action.name for action in self.staff_actions if action.is_offered(user, row)]

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
        make = (many and action.form_for_many) or action.form or forms.Form
        form = self._form(request, action, make, rows, answered=answered, is_outdated=is_outdated)
        if many and (most := _most_at_once(form, rows)) < len(rows):
            text = _("One page can ask about %(number)d rows at most: choose fewer.")
            self.message_user(request, text % {"number": most}, messages.ERROR)
            return HttpResponseRedirect(back)
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
                gone = self._run(request, action, rows, form, shown)
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
            "seen": signed({row.pk: state for row, state in self.states_of(rows).items()}),
            "form": form,
            "preview": preview,
            "is_first_shown": action.preview is not None and preview is None,
            "list_action": request.POST.get("action", ""),
            "back": back,
        }
        template = form.template if isinstance(form, RowsForm) else RowsForm.template
        return TemplateResponse(request, template, context)

    def _heading(self, action: StaffAction[M], rows: list[M]) -> str:
        what = self.label_of(rows[0]) if len(rows) == 1 else counted(self.opts, len(rows))
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
        news = self.news_of(rows, shown)
        left = [row for row in rows if action.fits(row) and not (many and row in news)]
        notices = [
            f"{self.label_of(row)}: {error}" if many else str(error) for row, error in news.items()
        ]
        misfits = [self.label_of(row) for row in rows if row not in news and row not in left]
        if misfits and left and not answered:
            text = _("Left out, because it does not fit them: %(rows)s.")
            notices.append(text % {"rows": ", ".join(misfits)})
        if not left and not notices:
            notices.append(str(self.misfit))
        return left, notices, not many and bool(left and news)

    def _form(
        self,
        request: HttpRequest,
        action: StaffAction[M],
        make: type[forms.Form],
        rows: list[M],
        *,
        answered: bool,
        is_outdated: bool,
    ) -> forms.Form:
        """A link to the question may have chosen already. Who is asked again finds what they typed."""
        initial = dict(request.GET.lists())
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
        form: forms.Form,
        shown: Shown | None,
    ) -> bool:
        """Do it to each row, say how it went and keep it in the log. Lists show the newest first,
        and what waits longest is done first. Returns whether the last row is gone. Raises
        DecidedMeanwhile for a single row."""
        done, gone = list[M](), False
        for row in reversed(rows):
            answers = form.answers_of(row) if isinstance(form, RowsForm) else form.cleaned_data
            if answers is None:
                continue
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
            outcome = said.parts if isinstance(said, Outcome) else ()
            note = [noted(action.title, action.noted(answers)), *outcome]
            self.log_change(request, now or row, note)
            if isinstance(said, str):
                self.message_user(request, said, messages.SUCCESS)
            else:
                done.append(now or row)
        if len(done) > 1 and action.done_for_many:
            self.message_user(request, str(action.done_for_many(done)), messages.SUCCESS)
        elif done:
            labels = ", ".join(map(self.label_of, done))
            known = {"rows": labels, "number": len(done), "title": action.title}
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
