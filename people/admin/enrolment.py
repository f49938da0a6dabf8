"""The page that gives the people of a list access to a course: at first a report, and then it is done."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)

from lms import permissions
from lms.admin.accesses import GivenForm
from lms.admin.materials import person_label
from lms.models import Access, Course
from people.current_user import current_user
from people.models import Language, User
from people.permissions import can_invite
from people.services import enrolling
from people.services.enrolling import Outcome, Verdict
from project.common.address_lists import decoded, read_addresses
from project.common.admin.base import StaffAdmin, is_page_open, tells_errors
from project.common.admin.forms import PreviewForm, reason_field

# A thousand lines, with names and all.
LONGEST_LIST = 200_000


class EnrolForm(PreviewForm):
    people = forms.CharField(
        label=gettext_lazy("People"),
        required=False,
        max_length=LONGEST_LIST,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "spellcheck": "false"}),
        help_text=gettext_lazy(
            "Email addresses, one per line or separated by commas, semicolons or tabs. Names may stand beside "
            "them: anna@example.com, Anna, Berg."
        ),
    )
    file = forms.FileField(
        label=gettext_lazy("Or a CSV file"),
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
    )
    makes_accounts = forms.BooleanField(
        label=gettext_lazy("Create accounts for those who have none"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=gettext_lazy("They will be invited by email to choose a password."),
    )
    reason = reason_field(max_length=200, help_text=gettext_lazy("Recorded with each access."))
    tell = GivenForm.base_fields["tell"]

    def __init__(self, *arguments: Any, by: User, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["reason"].widget.attrs.pop("autofocus", None)
        self.fields["tell"].label = _("Tell people why")
        if not can_invite(by):
            del self.fields["makes_accounts"]

    def clean(self) -> dict[str, Any]:
        upload, text = self.cleaned_data.pop("file", None), self.cleaned_data.get("people", "")
        if upload and upload.size > LONGEST_LIST:
            self.add_error("file", _("The file is too large for a list of 1,000 people."))
        elif upload:
            text = decoded(upload.read()).replace("\0", "")
        # As a browser sends it back.
        self.cleaned_data["people"] = "\n".join(text.strip().splitlines())
        if not self.cleaned_data["people"] and not self.errors:
            self.add_error("people", _("Paste the addresses, or choose a file."))
        return super().clean()

    def note_shown(self) -> None:
        """A file is shown as text, to be corrected."""
        super().note_shown()
        self.data = {**self.data, "people": self.cleaned_data["people"]}

    def for_the_rest(self, header: str, refused: Iterable[Verdict], by: User) -> "EnrolForm":
        """The form with nothing but the lines that are to be corrected, which get new numbers."""
        lines = [header] if header else []
        for verdict in refused:
            lines.append(verdict.entry.text)
            verdict.entry = verdict.entry._replace(line=len(lines))
        text = "\n".join(lines)
        return EnrolForm(initial={**self.cleaned_data, "people": text}, by=by)


class EnrolmentPage(StaffAdmin[User]):
    """It stands among the pages of people, as it may make accounts."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.enrol_view)
        return [
            path("enrol/<int:course_id>/", view, name="people_user_enrol"),
            *super().get_urls(),
        ]

    @tells_errors
    def enrol_view(self, request: HttpRequest, course_id: int) -> HttpResponse:
        by = current_user(request)
        course = get_object_or_404(Course.objects.visible_to(by), pk=course_id)
        if not (is_page_open(request, course) and permissions.can_enrol(by, course)):
            raise PermissionDenied
        return self._enrol(request, course)

    def _enrol(self, request: HttpRequest, course: Course) -> HttpResponse:
        """What was shown and is sent once more is done; what can't be done stays, to be corrected."""
        by, verdicts = current_user(request), list[Verdict]()
        form = EnrolForm(request.POST or None, request.FILES or None, by=by)
        if request.method != "POST" or not form.is_valid():
            return self._page(request, course, form, verdicts)
        answers = {**form.cleaned_data}
        people, is_seen = read_addresses(answers.pop("people")), bool(answers.pop("key"))
        asked: dict[str, Any] = {
            "course": course,
            "entries": people.entries,
            "by": by,
            "makes_accounts": answers.pop("makes_accounts", False),
        }
        try:
            if is_seen:
                answers["language"] = Language.of_code(get_language())
                verdicts, given = enrolling.enrol_list(**asked, **answers)
                self._tell(request, verdicts, given)
                verdicts = [one for one in verdicts if one.is_refused]
                if not verdicts:
                    return HttpResponseRedirect(_participants(course))
                form = form.for_the_rest(people.header, verdicts, by)
            else:
                verdicts = enrolling.check_list(**asked)
                if any(one.is_good for one in verdicts):
                    form.note_shown()
        except enrolling.TooManyEntries as error:
            form.add_error("people", str(error))
        return self._page(request, course, form, verdicts, is_seen=is_seen)

    def _tell(self, request: HttpRequest, verdicts: Sequence[Verdict], given: list[Access]) -> None:
        """Say how it went, and note each right in the log, as if it had been given alone."""
        if given:
            user = current_user(request)
            LogEntry.objects.log_actions(user.pk, given, ADDITION, change_message=[{"added": {}}])
            text = ngettext(
                "%(number)d person was enrolled.", "%(number)d people were enrolled.", len(given)
            )
            self.message_user(request, text % {"number": len(given)}, messages.SUCCESS)
        had = sum(one.outcome == Outcome.HAS_ACCESS for one in verdicts)
        if had:
            text = ngettext(
                "%(number)d person had access already.",
                "%(number)d people had access already.",
                had,
            )
            self.message_user(request, text % {"number": had}, messages.INFO)
        refused = sum(one.is_refused for one in verdicts)
        if refused:
            text = ngettext(
                "%(number)d line is left to be corrected.",
                "%(number)d lines are left to be corrected.",
                refused,
            )
            self.message_user(request, text % {"number": refused}, messages.WARNING)

    def _page(
        self,
        request: HttpRequest,
        course: Course,
        form: EnrolForm,
        verdicts: Sequence[Verdict],
        *,
        is_seen: bool = False,
    ) -> HttpResponse:
        """What is to be corrected stands first."""
        viewer = current_user(request)
        numbers = Counter(one.outcome for one in verdicts)
        good = sum(one.is_good for one in verdicts)
        button = ngettext("Enrol %(number)d person", "Enrol %(number)d people", good)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Enrol people"),
            "subtitle": str(course),
            "opts": Course._meta,
            "original": course,
            "back": _participants(course),
            "form": form,
            "button": button % {"number": good} if good else _("Check the list"),
            "is_checked": good and not is_seen,
            "numbers": [(one.label, numbers[one]) for one in Outcome if numbers[one]],
            "verdicts": [
                (one, person_label(viewer, one.person) if one.person else "")
                for one in sorted(verdicts, key=lambda one: (not one.is_refused, one.entry.line))
            ],
        }
        return TemplateResponse(request, "admin/people/enrol.html", context)


def _participants(course: Course) -> str:
    return reverse("admin:lms_course_participants", args=[course.pk])
