"""What runs by the clock: one table. `migrate` writes it into the database.

A cron expression is read in the project's `TIME_ZONE`. Keep it between 04:00 and 20:59: at other hours
clocks are changed somewhere, and a time comes twice, or never (project/checks.py).
"""

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True)
class Schedule:
    """Run the task at the dotted `path` every so many `minutes`, or as the `cron` says."""

    name: str
    path: str
    minutes: int | None = None
    cron: str | None = None

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.cron is None):
            msg = f"The schedule {self.name} needs either minutes or a cron expression"
            raise ValueError(msg)


SCHEDULES = (
    Schedule("canary", "project.common.background.tasks.canary", minutes=1),
    Schedule("mail", "project.mail.tasks.deliver_mail", minutes=1),
    Schedule("course-updates", "lms.tasks.tell_collected_updates", minutes=1),
    Schedule("payments", "payments.tasks.reconcile_payments", minutes=10),
    Schedule("daily-mail", "lms.tasks.send_daily_mail", minutes=5),
    Schedule("stripe-events", "payments.tasks.catch_up_with_stripe", cron="5 4 * * *"),
    Schedule("check-payments", "payments.tasks.check_payments", cron="35 4 * * *"),
    # In minutes, so that it runs at once after the upgrade.
    Schedule("pictures", "project.common.background.tasks.convert_old_pictures", minutes=24 * 60),
    Schedule("figures", "project.admin_site.tasks.count_figures", minutes=10),
    Schedule("inactivity", "people.tasks.sweep_inactive", cron=settings.INACTIVITY_SWEEP_CRON),
    Schedule("expired-tokens", "people.tasks.forget_expired_tokens", cron="15 4 * * *"),
    Schedule(
        "old-records", "project.common.background.tasks.forget_old_records", cron="50 4 * * *"
    ),
    Schedule("late-traces", "people.tasks.erase_late_traces", cron="10 5 * * *"),
    Schedule("old-books", "people.tasks.forget_old_books", cron="55 4 * * *"),
    Schedule("old-exports", "people.tasks.forget_old_exports", cron="20 4 * * *"),
    Schedule("old-log-ins", "people.tasks.forget_log_ins", cron="22 4 * * *"),
    Schedule("old-keys", "payments.tasks.forget_old_keys", cron="25 4 * * *"),
    Schedule("old-daily-mails", "lms.tasks.forget_old_digests", cron="40 4 * * *"),
    Schedule("old-mails", "project.mail.tasks.forget_old_mails", cron="45 4 * * *"),
)
