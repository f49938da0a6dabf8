"""What tasks tell of what they did: numbers by what was counted, and their words for staff."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext_lazy

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

# Zero of everything, or nothing counted: there was nothing to do.
type Counts = Mapping[str, int]

# A task that follows has the rest.
CONTINUED: Counts = {"continued": 1}

# In the order in which they are told.
WORDS: "Mapping[str, StrPromise]" = {
    "mails_sent": ngettext_lazy("sent %(number)d email", "sent %(number)d emails", "number"),
    "mails_written": ngettext_lazy("wrote %(number)d email", "wrote %(number)d emails", "number"),
    "refused_today": ngettext_lazy(
        "%(number)d address already received as many such emails today as it may",
        "%(number)d addresses already received as many such emails today as they may",
        "number",
    ),
    "daily_mails_begun": ngettext_lazy(
        "began %(number)d daily email", "began %(number)d daily emails", "number"
    ),
    "courses_told": ngettext_lazy(
        "began to tell the subscribers of %(number)d course",
        "began to tell the subscribers of %(number)d courses",
        "number",
    ),
    "courses_renewed": ngettext_lazy(
        "renewed the search for %(number)d course",
        "renewed the search for %(number)d courses",
        "number",
    ),
    "payments_asked_about": ngettext_lazy(
        "asked Stripe about %(number)d payment", "asked Stripe about %(number)d payments", "number"
    ),
    "pages_closed": ngettext_lazy(
        "closed %(number)d payment page", "closed %(number)d payment pages", "number"
    ),
    "events": ngettext_lazy(
        "read %(number)d event from Stripe", "read %(number)d events from Stripe", "number"
    ),
    "events_missed": ngettext_lazy(
        "%(number)d had not been reported before",
        "%(number)d had not been reported before",
        "number",
    ),
    "findings_open": ngettext_lazy(
        "%(number)d discrepancy is open", "%(number)d discrepancies are open", "number"
    ),
    "payments_compared": ngettext_lazy(
        "compared %(number)d payment with Stripe",
        "compared %(number)d payments with Stripe",
        "number",
    ),
    "payments_left": ngettext_lazy(
        "%(number)d payment is left", "%(number)d payments are left", "number"
    ),
    "people_warned": ngettext_lazy(
        "warned %(number)d person", "warned %(number)d people", "number"
    ),
    "people_blocked": ngettext_lazy(
        "blocked %(number)d person", "blocked %(number)d people", "number"
    ),
    "exports_made": ngettext_lazy(
        "prepared %(number)d copy of personal data",
        "prepared %(number)d copies of personal data",
        "number",
    ),
    "figures_counted": ngettext_lazy(
        "counted %(number)d figure", "counted %(number)d figures", "number"
    ),
    "pictures_converted": ngettext_lazy(
        "converted %(number)d picture", "converted %(number)d pictures", "number"
    ),
    "traces_erased": ngettext_lazy(
        "erased what was left of %(number)d person",
        "erased what was left of %(number)d people",
        "number",
    ),
    "exports_forgotten": ngettext_lazy(
        "deleted %(number)d copy of personal data",
        "deleted %(number)d copies of personal data",
        "number",
    ),
    "failed_tasks_forgotten": ngettext_lazy(
        "deleted %(number)d failed task", "deleted %(number)d failed tasks", "number"
    ),
    "keys_forgotten": ngettext_lazy(
        "deleted %(number)d repeat key of payments",
        "deleted %(number)d repeat keys of payments",
        "number",
    ),
    "log_entries_forgotten": ngettext_lazy(
        "deleted %(number)d entry of the staff log",
        "deleted %(number)d entries of the staff log",
        "number",
    ),
    "log_ins_forgotten": ngettext_lazy(
        "deleted %(number)d record of a log-in", "deleted %(number)d records of log-ins", "number"
    ),
    "mails_forgotten": ngettext_lazy(
        "deleted %(number)d old email", "deleted %(number)d old emails", "number"
    ),
    "payments_forgotten": ngettext_lazy(
        "deleted %(number)d old payment", "deleted %(number)d old payments", "number"
    ),
    "pictures_forgotten": ngettext_lazy(
        "deleted %(number)d unused picture", "deleted %(number)d unused pictures", "number"
    ),
    "sessions_forgotten": ngettext_lazy(
        "deleted %(number)d expired session", "deleted %(number)d expired sessions", "number"
    ),
    "tables_forgotten": ngettext_lazy(
        "deleted %(number)d uploaded table", "deleted %(number)d uploaded tables", "number"
    ),
    "tokens_forgotten": ngettext_lazy(
        "deleted %(number)d expired log-in", "deleted %(number)d expired log-ins", "number"
    ),
    "told_changes_forgotten": ngettext_lazy(
        "deleted %(number)d entry of old daily emails",
        "deleted %(number)d entries of old daily emails",
        "number",
    ),
    "continued": ngettext_lazy(
        "another task does the rest", "another task does the rest", "number"
    ),
}


def is_quiet(result: object) -> bool:
    """Say whether a task told that there was nothing to do."""
    return isinstance(result, Mapping) and not any(result.values())


def outcome_in_words(result: object) -> str:
    """Tasks of former versions told English sentences, which the details have."""
    if not isinstance(result, Mapping):
        return "—"
    told = [words % {"number": result[code]} for code, words in WORDS.items() if result.get(code)]
    return capfirst("; ".join(told)) or _("Nothing to do")
