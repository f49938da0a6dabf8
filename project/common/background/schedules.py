"""What runs by the clock, one table that `migrate` writes into the database, and what all tasks do in
people's words.

A cron expression is read in the project's `TIME_ZONE`. Keep it between 04:00 and 20:59: at other hours
clocks are changed somewhere, and a time comes twice, or never (project/checks.py).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True)
class Schedule:
    """Run the task at the dotted `path` every so many `minutes`, or as the `cron` says. `does` says to
    staff what it does; what is housekeeping they see when they ask for it, or when it fails."""

    name: str
    path: str
    does: "StrOrPromise"
    minutes: int | None = None
    cron: str | None = None
    is_housekeeping: bool = False

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.cron is None):
            msg = f"The schedule {self.name} needs either minutes or a cron expression"
            raise ValueError(msg)


# What people wait for comes first.
SCHEDULES = (
    Schedule("mail", "project.mail.tasks.deliver_mail", _("Sends emails"), minutes=1),
    Schedule(
        "course-updates",
        "lms.tasks.tell_collected_updates",
        _("Tells subscribers what is new in their courses"),
        minutes=1,
    ),
    Schedule(
        "daily-mail",
        "lms.tasks.send_daily_mail",
        _("Begins the daily email when its hour has come"),
        minutes=5,
    ),
    Schedule(
        "payments",
        "payments.tasks.reconcile_payments",
        _("Asks Stripe about payments that are open for too long"),
        minutes=10,
    ),
    Schedule(
        "stripe-events",
        "payments.tasks.catch_up_with_stripe",
        _("Reads what Stripe could not report"),
        cron="5 4 * * *",
    ),
    Schedule(
        "check-payments",
        "payments.tasks.check_payments",
        _("Compares payments with accesses and with Stripe"),
        cron="35 4 * * *",
    ),
    Schedule(
        "inactivity",
        "people.tasks.sweep_inactive",
        _("Warns and blocks people who have not been here for long"),
        cron=settings.INACTIVITY_SWEEP_CRON,
    ),
    Schedule(
        "canary",
        "project.common.background.tasks.canary",
        _("Shows that background work is running"),
        minutes=1,
        is_housekeeping=True,
    ),
    Schedule(
        "figures",
        "project.admin_site.tasks.count_figures",
        _("Counts the figures of the dashboard"),
        minutes=10,
        is_housekeeping=True,
    ),
    # In minutes, so that it runs at once after the upgrade.
    Schedule(
        "pictures",
        "project.common.background.tasks.convert_old_pictures",
        _("Converts pictures of former versions"),
        minutes=24 * 60,
        is_housekeeping=True,
    ),
    Schedule(
        "expired-tokens",
        "people.tasks.forget_expired_tokens",
        _("Deletes log-ins that have expired"),
        cron="15 4 * * *",
        is_housekeeping=True,
    ),
    Schedule(
        "old-exports",
        "people.tasks.forget_old_exports",
        _("Deletes copies of personal data after a week"),
        cron="20 4 * * *",
        is_housekeeping=True,
    ),
    Schedule(
        "old-log-ins",
        "people.tasks.forget_log_ins",
        _("Deletes old records of who logged in"),
        cron="22 4 * * *",
        is_housekeeping=True,
    ),
    Schedule(
        "old-keys",
        "payments.tasks.forget_old_keys",
        _("Deletes keys that keep a payment from being made twice"),
        cron="25 4 * * *",
        is_housekeeping=True,
    ),
    Schedule(
        "old-daily-mails",
        "lms.tasks.forget_old_digests",
        _("Deletes what daily emails told long ago"),
        cron="40 4 * * *",
        is_housekeeping=True,
    ),
    Schedule(
        "old-mails",
        "project.mail.tasks.forget_old_mails",
        _("Deletes mailings of long ago"),
        cron="45 4 * * *",
        is_housekeeping=True,
    ),
    Schedule(
        "old-records",
        "project.common.background.tasks.forget_old_records",
        _("Deletes old sessions, failed tasks and entries of the staff log"),
        cron="50 4 * * *",
        is_housekeeping=True,
    ),
    Schedule(
        "old-books",
        "people.tasks.forget_old_books",
        _("Deletes payments of erased people once the law allows it"),
        cron="55 4 * * *",
        is_housekeeping=True,
    ),
    Schedule(
        "late-traces",
        "people.tasks.erase_late_traces",
        _("Deletes what was written about people while they were erased"),
        cron="10 5 * * *",
        is_housekeeping=True,
    ),
)
HOUSEKEEPING = frozenset(one.path for one in SCHEDULES if one.is_housekeeping)

# By path, with what is done when somebody asks for it.
DOES: "dict[str, StrOrPromise]" = {one.path: one.does for one in SCHEDULES} | {
    "lms.tasks.renew_searches": _("Renews the search for an author's courses"),
    "payments.tasks.ask_about_refunds": _("Asks Stripe about the refunds of a payment"),
    "payments.tasks.close_needless_pages": _("Closes payment pages that nobody needs any more"),
    "payments.tasks.compare_with_stripe": _("Compares payments with Stripe"),
    "people.tasks.make_export": _("Prepares a copy of personal data"),
    "people.tasks.send_password_reset_mail": _("Sends a link for a new password"),
    "people.tasks.send_reactivation_mail": _("Sends a link that lifts a block"),
    "project.common.background.tasks.sign_of_life": _("Shows that a worker is alive"),
}
