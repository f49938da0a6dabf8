"""What the error of a task means to staff, and what they can do about it."""

from django.utils.translation import gettext_lazy as _

from project.common.background.broker import GIVEN_UP
from project.common.meanings import Meaning, meaning_of

TRY_LATER = _("Try again in some minutes. If it fails again, ask whoever runs the server.")
ASK = _("Ask whoever runs the server, and send them the details below.")
NOTHING = _("Nothing is to be done.")

# By what stands in the last line of a traceback.
KNOWN = (
    (
        GIVEN_UP,
        Meaning(_("The process that did it ended each time, perhaps for want of memory."), ASK),
    ),
    (r"TimeoutException", Meaning(_("It took longer than a task may take."), TRY_LATER)),
    (r"MemoryError", Meaning(_("It needed more memory than a task may use."), ASK)),
    (r"No space left|Errno 28", Meaning(_("The disk of the server is full."), ASK)),
    (
        r"Function .+ is not defined",
        Meaning(_("This version of Parta has no such task any more."), NOTHING),
    ),
    (r"DoesNotExist", Meaning(_("What it was about was deleted meanwhile."), NOTHING)),
    (r"[Ss]tripe", Meaning(_("Stripe did not answer as it should."), TRY_LATER)),
    (
        r"OperationalError|InterfaceError",
        Meaning(_("The database could not be reached, or was too busy."), TRY_LATER),
    ),
    (
        r"Connection\w*Error|TimeoutError|gaierror|URLError",
        Meaning(_("Another server could not be reached."), TRY_LATER),
    ),
    (r"PermissionError|FileNotFoundError", Meaning(_("A file could not be read or written."), ASK)),
)
UNKNOWN = Meaning(_("Something went wrong that Parta has no words for."), ASK)


def last_line(result: object) -> str:
    """The last line of a traceback is what was raised."""
    return (str(result or "").strip().splitlines() or ["—"])[-1]


def meaning_of_failure(result: object) -> Meaning:
    return meaning_of(last_line(result), KNOWN) or UNKNOWN
