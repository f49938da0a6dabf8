"""What a question showed of its rows, signed, in a hidden field: the answer is about nothing else
(docs/rules.md, 13.10)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import signing
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from project.common.admin.base import StaffAdmin
from project.common.decisions import DecidedMeanwhile, Decision
from project.common.versions import version_of

FIELD = "seen_state"
SALT = "project.common.admin.seen_state"


class Shown(NamedTuple):
    """When the question was asked, and the state of each row, by primary key, as it was then."""

    at: datetime
    states: Mapping[str, frozenset[str]]

    def state_of(self, pk: object) -> frozenset[str]:
        """Empty for a row that the question did not show."""
        return self.states.get(str(pk), frozenset())


def signed(states: Mapping[object, frozenset[str]]) -> str:
    """What the hidden field of a question holds; templates write it by its name."""
    by_key = {str(pk): sorted(state) for pk, state in states.items()}
    return signing.dumps([timezone.now().isoformat(), by_key], salt=SALT, compress=True)


def shown_to(request: HttpRequest) -> Shown | None:
    """What whoever answers has seen. None if they don't say: then it is as with an edit without a
    version (13.7). What is not as we signed it was seen by nobody."""
    if FIELD not in request.POST:
        return None
    try:
        at, by_key = signing.loads(request.POST[FIELD], salt=SALT)
    except signing.BadSignature:
        return Shown(timezone.now(), {})
    states = {pk: frozenset(state) for pk, state in by_key.items()}
    return Shown(datetime.fromisoformat(at), states)


class SeenAdmin[M: Model](StaffAdmin[M]):
    """Questions about rows are answered for what they showed."""

    def state_of(self, row: M) -> frozenset[str]:
        """What a decision about the row rests on: of a row in another state than its question
        showed, nothing is done. Override it where not all columns matter, or others do."""
        columns = [getattr(row, field.attname) for field in row._meta.concrete_fields]
        return frozenset({version_of(columns)})

    def states_of(self, rows: Sequence[M]) -> dict[M, frozenset[str]]:
        """The state of each; override it where that is cheaper for many at once."""
        return {row: self.state_of(row) for row in rows}

    def decision_since(self, row: M, shown: Shown) -> Decision | None:
        """The last decision about the row that its question did not show, as far as it is known.
        By default: what staff did last with the row, as the log has it."""
        return self._logged_since(row.pk, shown.at)

    def news_of(self, rows: Sequence[M], shown: Shown | None) -> dict[M, DecidedMeanwhile]:
        """What to say to whoever answers for another state of rows than there is now."""
        if shown is None:
            return {}
        states = self.states_of(rows)
        outdated = [row for row in rows if shown.state_of(row.pk) != states[row]]
        return {row: DecidedMeanwhile(self.decision_since(row, shown)) for row in outdated}

    def say_gone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Whoever has seen the row hears what became of it."""
        shown = shown_to(request)
        decision = shown and self._logged_since(object_id, shown.at)
        if not decision:
            raise Http404
        self.message_user(request, str(DecidedMeanwhile(decision)), messages.ERROR)
        return HttpResponseRedirect(self.url("changelist"))

    def _logged_since(self, pk: object, moment: datetime) -> Decision | None:
        entries = LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(self.model, for_concrete_model=False),
            object_id=str(pk),
            action_time__gte=moment,
        )
        entry = entries.select_related("user").order_by("-action_time").first()
        if entry is None:
            return None
        what = entry.get_change_message()
        return Decision(name="", what=what, who=str(entry.user), at=entry.action_time)
