"""What becomes of each column of each table: a column that is missing here fails the tests.

docs/personal-data.md is made of this by `manage.py personal_data`.
"""

from people.models.exports import EXPORTS_KEPT
from people.models.log_ins import LOG_INS_KEPT, LOG_INS_KEPT_FOR
from people.personal_data.fates import Table, Why
from project.common.background.retention import FAILED_TASKS, STAFF_LOG
from project.mail.tasks import MAILINGS_KEPT

BOOKS = Why("for `BOOKS_KEPT`, by default eleven years", "the law has the school keep its books")
DECISIONS = Why("as long as its row", "it stays known who decided about others, without a name")
WORKS = Why("as long as the course", "others have bought or follow it")
COUNTS = Why("as long as the course", "it counts its learners, without their names")
ACCOUNT = Why("for good", "payments and courses belong to an account, without a name")

KEYS = "a key, drawn at random or counted up"
OWN = "a note of the application for itself"
OTHERS = "about courses, not about people"
CODE = "what the code of the application is called"

REGISTRY = (
    # People
    Table(
        model="people.User",
        of="pk",
        file="profile",
        erased="email* email_confirmed_at* new_email* first_name* last_name* phone* city* avatar*"
        " password last_login* warned_at*"
        " inactivity_from* kept_at* kept_reason* is_staff* is_superuser* searched searched_by_staff",
        kept={
            ACCOUNT: "date_joined* language* is_listed* course_mails* is_active* blocked_at* blocked_reason*"
        },
        nothing={KEYS: "identity token_version"},
    ),
    Table(
        model="people.User_groups",
        of="user",
        file="groups",
        deleted="user group*",
    ),
    Table(
        model="people.User_user_permissions",
        of="user",
        file="permissions",
        deleted="user permission*",
    ),
    Table(
        model="people.Invitation",
        of="user",
        file="invitation",
        deleted="user invited_by sent_at* accepted_at*",
    ),
    Table(
        model="people.Invitation_roles",
        of="invitation__user",
        deleted="invitation group",
    ),
    Table(
        model="people.BlockNotice",
        of="person",
        file="notices-of-blocks",
        deleted="person by is_blocked* reason* created_at*",
    ),
    Table(
        model="people.StaffMessage",
        of="recipient",
        file="messages-from-staff",
        deleted="key sender recipient subject* text* reference* created_at*",
    ),
    Table(
        model="people.TokenFamily",
        of="user",
        file="log-ins",
        deleted="user generation token_version begun_at* issued_at* expires_at* address* device*",
        forgotten="the night after the last token has expired",
    ),
    Table(
        model="people.PersonalExport",
        of="user",
        file="exports",
        deleted="user requested_at* ready_at*",
        forgotten=f"{EXPORTS_KEPT.days} days after it was made, with its file",
    ),
    Table(
        model="people.AdminSession",
        of="user",
        file="sessions-in-the-admin",
        deleted="user token_version begun_at* last_used_at* address* device* password_at* code_at*",
        forgotten="the night after the session has ended",
    ),
    Table(
        model="people.LogIn",
        of="user",
        file="attempts-to-log-in",
        deleted="user at* door* outcome* address* device*",
        forgotten=f"{LOG_INS_KEPT_FOR.days} days after the attempt; of one person only the last {LOG_INS_KEPT}"
        " stay",
    ),
    Table(
        model="otp_totp.TOTPDevice",
        of="user",
        file="second-factor",
        deleted="user name confirmed created_at* last_used_at* throttling_failure_timestamp"
        " throttling_failure_count key step t0 digits tolerance drift last_t",
    ),
    Table(
        model="otp_static.StaticDevice",
        of="user",
        file="recovery-codes",
        deleted="user name confirmed created_at* last_used_at* throttling_failure_timestamp"
        " throttling_failure_count",
    ),
    Table(
        model="otp_static.StaticToken",
        of="device__user",
        deleted="device token",
        forgotten="as soon as the code was used",
    ),
    Table(
        model="token_blacklist.OutstandingToken",
        of="user",
        deleted="user jti token created_at expires_at",
        forgotten="the night after the token has expired; a former release wrote them",
    ),
    Table(
        model="token_blacklist.BlacklistedToken",
        of="token__user",
        deleted="token blacklisted_at",
        forgotten="with its token",
    ),
    Table(
        model="sessions.Session",
        deleted="session_key session_data expire_date",
        forgotten="the night after it has expired, two weeks after the log-in",
    ),
    Table(
        model="admin.LogEntry",
        file="log",
        erased="object_repr change_message*",
        kept={DECISIONS: "action_time* user content_type object_id action_flag"},
        forgotten=f"{STAFF_LOG.period.days} days after the action",
    ),
    # Mail
    Table(
        model="mail.Delivery",
        of="recipient",
        file="mails",
        deleted="recipient other_address* mailing* status* urgent attempts refusals unanswered"
        " due_at claim"
        " finished_at* error* letter* sent_to*",
        where={"claim": None},  # a worker may be sending one, and write down how that went
        forgotten=f"{MAILINGS_KEPT.days} days after the mail was asked for",
    ),
    Table(
        model="mail.KeptLetter",
        of="recipient",
        file="mails-as-sent",
        deleted="recipient mailing* sender* reply_to* subject* text* html* unsubscribes",
        nothing={"a hash of the rest": "digest"},
        forgotten=f"{MAILINGS_KEPT.days} days after the mail was asked for; mails to others that name the person, too",
    ),
    Table(
        model="mail.RefusedAddress",
        of="recipient",
        file="refused-addresses",
        deleted="recipient address* first_at* first_words* last_at* last_words* stopped_at*",
        forgotten=f"{MAILINGS_KEPT.days} days after the last refusal, unless it stops the mail to the present address;"
        " at once when a mail arrives",
    ),
    Table(
        model="mail.Mailing",
        nothing={
            "which mail it is, not to whom": "kind key subject_id title searched state"
            " listed_up_to listing_attempts due_at created_at"
        },
        forgotten=f"{MAILINGS_KEPT.days} days after it was asked for",
    ),
    Table(
        model="mail.AddressCount",
        nothing={"numbers under a keyed hash": "address sort begun_at mails"},
        forgotten="the night after its day is over",
    ),
    Table(
        model="mail.MailServer",
        nothing={OWN: "failures retry_at failing_since error answered_at sender sender_until"},
    ),
    Table(
        model="school.School",
        nothing={
            "what the school says of itself": "name logo colour email phone address tax_id time_zone"
            " daily_mail_hour sender_name cash_instructions transfer_instructions bank_details"
            " shows_checklist"
        },
    ),
    # Courses
    Table(
        model="lms.Subscription",
        of="user",
        file="subscriptions",
        deleted="user course* course_mails* digested_up_to created_at*",
    ),
    Table(
        model="lms.Digest",
        nothing={OTHERS: "date created_at listed_up_to is_listed"},
        forgotten=f"{MAILINGS_KEPT.days} days after its day",
    ),
    Table(
        model="lms.DigestCourse",
        nothing={OTHERS: "digest course settled_up_to up_to"},
        forgotten="with its daily mail",
    ),
    Table(
        model="lms.DigestPart",
        of="user",
        file="daily-mails",
        deleted="user digest* course_id* after up_to is_partial",
        forgotten="with its daily mail",
    ),
    Table(
        model="lms.Access",
        of="user",
        file="accesses",
        erased="reason* revoked_reason*",
        kept={
            COUNTS: "user course* lesson* source* reference* is_reason_told* created_at* revoked_at*",
            DECISIONS: "given_by",
        },
    ),
    Table(
        model="lms.Completion",
        of="user",
        file="completed-lessons",
        kept={COUNTS: "user lesson* created_at*"},
    ),
    Table(
        model="lms.Course",
        of="owner",
        file="courses",
        kept={
            WORKS: "owner title* description* summary description_html preview* price*"
            " is_published* created_at* updated_at* materials_updated_at"
        },
        nothing={"made of the texts, and at once anew without the name of the author": "searched"},
    ),
    Table(
        model="lms.Lesson",
        of="course__owner",
        file="lessons",
        kept={
            WORKS: "course* title* description* summary description_html searched preview*"
            " video_url* price* position* is_preview* is_published*"
            " created_at* updated_at*"
        },
    ),
    Table(
        model="lms.HistoricalCourse",
        of="history_user",
        file="edits-of-courses",
        kept={
            WORKS: "title* description* preview price* is_published* owner lessons_before"
            " lessons_after id* history_date* history_change_reason history_type*",
            DECISIONS: "history_user",
        },
    ),
    Table(
        model="lms.HistoricalLesson",
        of="history_user",
        file="edits-of-lessons",
        kept={
            WORKS: "title* description* preview video_url* price* position is_preview* is_published*"
            " course* id* history_date* history_change_reason history_type*",
            DECISIONS: "history_user",
        },
    ),
    Table(
        model="lms.CourseChange",
        nothing={
            OTHERS: "course kind lesson_id lesson_title old_title old_price changed_at update"
        },
        kept={DECISIONS: "changed_by"},
    ),
    Table(
        model="lms.CourseUpdate",
        nothing={OTHERS: "course created_at"},
    ),
    # Payments
    Table(
        model="payments.Payment",
        of="payer",
        file="payments",
        erased="refusal*",
        kept={
            BOOKS: "payer course* lesson* title* amount* refunded_amount* currency* method* status*"
            " created_at* paid_at* external_id* bank_reference* received_amount* received_currency*"
            " livemode account_id session_id session_expires_at payment_intent_id checked_at refused_at*"
        },
        nothing={
            KEYS: "token attempt",
            "made of the title": "searched",
            "Stripe's page, which ends within a day": "session_url",
        },
    ),
    Table(
        model="payments.PaymentMove",
        of="payment__payer",
        file="steps-of-payments",
        erased="reason*",
        where={"by__isnull": False},  # typed by staff; others are notes of the application
        kept={
            BOOKS: "payment* from_status* to_status* source* is_reason_told* created_at*",
            DECISIONS: "by",
        },
    ),
    Table(
        model="payments.Refund",
        of="payment__payer",
        file="refunds",
        erased="reason*",
        where={"by__isnull": False},  # typed by staff; others are notes of the application
        kept={
            BOOKS: "payment* amount* status* ends_access* is_reason_told* refund_id failure* created_at*"
            " settled_at*",
            DECISIONS: "by",
        },
        nothing={KEYS: "token"},
    ),
    Table(
        model="payments.Dispute",
        of="payment__payer",
        file="disputes",
        kept={
            BOOKS: "payment* dispute_id amount* currency* reason* status* evidence_due_by*"
            " created_at* told_at"
        },
    ),
    Table(
        model="payments.LedgerEntry",
        of="payment__payer",
        file="ledger-entries",
        kept={BOOKS: "payment* kind* method* currency* amount* day* created_at* closed_in"},
    ),
    Table(
        model="payments.ClosedMonth",
        nothing={"about the books, not about people": "month closed_at sums"},
        kept={DECISIONS: "by"},
    ),
    Table(
        model="payments.Finding",
        of="payment__payer",
        file="findings",
        erased="settled_reason*",
        kept={
            BOOKS: "payment* kind* reference params status* first_seen_at* last_seen_at* closed_at*",
            DECISIONS: "settled_by",
        },
    ),
    Table(
        model="payments.StripeEvent",
        of="payment__payer",
        file="events-from-stripe",
        kept={BOOKS: "payment* event_id type* outcome intent_id happened_at* received_at*"},
    ),
    Table(
        model="payments.IdempotencyKey",
        of="user",
        file="idempotency-keys",
        deleted="user key* payment* created_payment created_at*",
        forgotten="after 30 days",
    ),
    Table(
        model="payments.StripePrice",
        nothing={
            OTHERS: "livemode account_id course lesson title amount currency product_id price_id"
            " created_at"
        },
    ),
    Table(
        model="payments.StripeLook",
        nothing={OWN: "livemode account_id started_at events missed"},
    ),
    # The application itself
    Table(
        model="django_q.OrmQ",
        nothing={"tasks take keys, which lead to nobody after an erasure": "key payload lock"},
        forgotten="as soon as the task is done",
    ),
    Table(
        model="django_q.Task",
        nothing={
            "tasks take keys, and the words of their errors have addresses masked": "name func hook"
            " args kwargs result group cluster started stopped success attempt_count"
        },
        forgotten=f"{FAILED_TASKS.period.days} days after they failed; of the others the last hundred stay",
    ),
    Table(
        model="django_q.Schedule",
        nothing={
            CODE: "name func hook args kwargs schedule_type minutes repeats next_run cron task"
            " cluster intended_date_kwarg"
        },
    ),
    Table(model="admin_site.Figure", nothing={"numbers": "value counted_at seconds"}),
    Table(model="auth.Group", nothing={"what roles are called": "name"}),
    Table(model="auth.Group_permissions", nothing={CODE: "group permission"}),
    Table(model="auth.Permission", nothing={CODE: "name content_type codename"}),
    Table(model="contenttypes.ContentType", nothing={CODE: "app_label model"}),
)

# What the erasure changes.
TOUCHED = tuple(table for table in REGISTRY if table.of and (table.deleted or table.erased))
