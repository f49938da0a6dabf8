"""The outbox: one row per mailing, one per person and mailing, one per refused address, one for the
server; and what addresses got today."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, OuterRef, Q
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from project.common.db.counting import number_of
from project.common.db.derived import DerivedModel
from project.common.db.searched import SearchedField
from project.mail.kinds import label_of


def mailing_key(kind: str, key: object) -> str:
    """What makes two requests for a mail of this kind one and the same (`Mailing.key`)."""
    return f"{kind}:{key}"


class MailingState(models.TextChoices):
    LISTING = "listing", _("recipients are being listed")
    LISTED = "listed", _("all recipients are listed")
    PARKED = "parked", _("given up: the recipients could not be listed")


class MailingQuerySet(models.QuerySet["Mailing"]):
    def to_be_listed(self, *, at: datetime) -> Self:
        """Mailings whose recipients are not all listed, oldest first."""
        return self.filter(state=MailingState.LISTING, due_at__lte=at).order_by("id")

    def troubled(self) -> Self:
        """Mailings that did not reach everybody, or nobody at all."""
        failed = Delivery.objects.failed().values("mailing")
        return self.filter(Q(pk__in=failed) | Q(state=MailingState.PARKED))

    def parked(self) -> Self:
        """Mailings whose recipients could not be listed."""
        return self.filter(state=MailingState.PARKED)

    def counted(self) -> Self:
        """Annotated with `<status>_count`: how many of its mails have each status."""
        # A subquery for each: rows of one mailing and status lie together in an index.
        numbers = {}
        for status in DeliveryStatus.values:
            rows = Delivery.objects.filter(mailing=OuterRef("pk"), status=status)
            numbers[f"{status}_count"] = number_of(rows)
        return self.annotate(**numbers)


class Mailing(DerivedModel):
    """One mail to one or many people. `kind` names who writes it (`MailKind.name`), and
    `subject_id` is the primary key of what it is about."""

    kind = models.CharField(_("kind"), max_length=40)
    # The same mail asked for twice is one mail.
    key = models.CharField(_("key"), max_length=100, unique=True)
    subject_id = models.PositiveBigIntegerField(_("about"), null=True, blank=True)
    # For people, as it was when the mail was asked for: the title of the course.
    title = models.CharField(_("title"), max_length=200, blank=True)
    searched = SearchedField(of=["title"])
    state = models.CharField(
        _("state"), max_length=10, choices=MailingState, default=MailingState.LISTING
    )
    # Recipients with a primary key up to this one are listed.
    listed_up_to = models.BigIntegerField(_("listed up to"), default=0)
    # Raised before each step of listing and set back after it: the steps that ended in a crash.
    listing_attempts = models.PositiveSmallIntegerField(
        _("failed attempts to list recipients"), default=0
    )
    due_at = models.DateTimeField(_("next try"), default=timezone.now)
    created_at = models.DateTimeField(_("created"), default=timezone.now, db_index=True)

    objects = MailingQuerySet.as_manager()

    class Meta:
        verbose_name = _("mailing")
        verbose_name_plural = _("mailings")
        ordering = ("-id",)
        indexes = [
            models.Index(
                fields=["state", "id"],
                name="mailing_unlisted",
                condition=Q(state__in=["listing", "parked"]),
            ),
            models.Index(fields=["kind", "id"], name="mailing_kind"),
        ]

    def __str__(self) -> str:
        label = capfirst(label_of(self.kind))
        return f"{label}: {self.title}" if self.title else label


class KeptLetter(models.Model):
    """What a mailing said, as it was sent: one row for all who got the same letter, or for the one
    person it was written to. Links that let somebody do something are withheld."""

    mailing = models.ForeignKey(
        Mailing,
        models.CASCADE,
        db_index=False,  # kept_letter_unique begins with it
        related_name="letters",
        verbose_name=_("mailing"),
    )
    # Null: it was written to many.
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        related_name="kept_letters",
        verbose_name=_("recipient"),
    )
    digest = models.CharField(max_length=64, editable=False)
    # As the field From had it.
    sender = models.TextField(_("sender"))
    reply_to = models.TextField(_("answers go to"), blank=True, default="", db_default="")
    subject = models.TextField(_("subject"))
    text = models.TextField(_("text"))
    html = models.TextField("HTML")
    unsubscribes = models.BooleanField(_("with a link to unsubscribe"))

    class Meta:
        verbose_name = _("sent letter")
        verbose_name_plural = _("sent letters")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["mailing", "digest"], name="kept_letter_unique"),
        ]

    def __str__(self) -> str:
        return self.subject


class DeliveryStatus(models.TextChoices):
    WAITING = "waiting", _("waiting")
    SENT = "sent", _("sent")
    REFUSED = "refused", _("refused by the mail server")
    SKIPPED = "skipped", _("not sent on purpose")
    PARKED = "parked", _("given up")
    PERHAPS = "perhaps", _("perhaps sent: the mail server did not confirm it")


FAILED = (DeliveryStatus.REFUSED, DeliveryStatus.PARKED)
# What staff may have sent again.
UNSETTLED = (*FAILED, DeliveryStatus.PERHAPS)
LATELY = timedelta(days=7)
# A mail that the server got and did not answer goes out once more, and then no more.
MAX_UNANSWERED = 2


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def waiting(self) -> Self:
        return self.filter(status=DeliveryStatus.WAITING)

    def due(self, *, at: datetime) -> Self:
        """What may be sent now: neither postponed nor in the hands of a worker."""
        return self.waiting().filter(due_at__lte=at)

    def postponed(self) -> Self:
        """What the mail server did not take yet and is offered again."""
        return self.waiting().filter(refusals__gt=0)

    def failed(self) -> Self:
        """What will not arrive unless somebody has it tried again."""
        return self.filter(status__in=FAILED)

    def perhaps_sent(self) -> Self:
        """What the mail server got and may have taken: staff decide whether it is sent again."""
        return self.filter(status=DeliveryStatus.PERHAPS)

    def failed_lately(self) -> Self:
        """What failed in the last week; older failures are known, or nobody minds."""
        return self.failed().filter(finished_at__gte=timezone.now() - LATELY)

    def of(self, kind: str, key: object) -> Self:
        """The mails that were asked for by this kind and key."""
        return self.filter(mailing__key=mailing_key(kind, key))

    def in_order(self) -> Self:
        """Mails that somebody is waiting for come first."""
        return self.order_by("-urgent", "due_at", "id")


class Delivery(models.Model):
    """One mail to one person.

    A worker takes a row by writing its `claim` and moving `due_at` to the end of its lease, so that
    the row of a worker that died is due again by itself. `attempts` is raised with the claim and
    given back for rows that were not touched; `refusals` counts the attempts that the mail server
    answered with "later". What remains, `attempts - refusals`, are crashes. `unanswered` counts
    the times that the server got the message, or may have, and nobody heard its answer.
    """

    mailing = models.ForeignKey(
        Mailing,
        models.CASCADE,
        db_index=False,  # delivery_by_status begins with it
        related_name="deliveries",
        verbose_name=_("mailing"),
    )
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="deliveries",
        verbose_name=_("recipient"),
    )
    # Where it goes if not to the recipient's own address: one that is to become theirs, or was.
    other_address = models.EmailField(_("other address"), blank=True, default="", db_default="")
    status = models.CharField(
        _("status"), max_length=10, choices=DeliveryStatus, default=DeliveryStatus.WAITING
    )
    urgent = models.BooleanField(_("urgent"), default=False)
    attempts = models.PositiveSmallIntegerField(_("tries"), default=0)
    refusals = models.PositiveSmallIntegerField(_("temporary refusals"), default=0)
    unanswered = models.PositiveSmallIntegerField(_("lost answers"), default=0, db_default=0)
    due_at = models.DateTimeField(_("next try"), default=timezone.now)
    claim = models.UUIDField(_("worker’s claim"), null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    error = models.CharField(_("reason"), max_length=500, blank=True)
    # What was handed to the mail server last, and for which address: noted when it took the mail, or
    # may have. The person may have another address since.
    letter = models.ForeignKey(
        KeptLetter,
        models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,  # delivery_by_letter
        related_name="deliveries",
        verbose_name=_("letter"),
    )
    sent_to = models.EmailField(_("sent to"), blank=True, default="", db_default="")

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["mailing", "recipient"], name="delivery_unique"),
        ]
        indexes = [
            models.Index(
                F("urgent").desc(),
                F("due_at"),
                F("id"),
                name="delivery_due",
                condition=Q(status="waiting"),
            ),
            models.Index(fields=["mailing", "status"], name="delivery_by_status"),
            models.Index(
                fields=["letter"], name="delivery_by_letter", condition=Q(letter__isnull=False)
            ),
            models.Index(
                fields=["status", "id"],
                name="delivery_not_sent",
                condition=Q(status__in=["refused", "parked", "skipped", "perhaps"]),
            ),
        ]

    def __str__(self) -> str:
        return str(self.mailing)

    @property
    def address(self) -> str:
        return self.other_address or self.recipient.email

    @property
    def reason(self) -> str:
        """Why it was not sent: the server's words, or ours in the reader's language. May be empty."""
        return gettext(self.error) if self.error else ""

    @property
    def crashes(self) -> int:
        """How many tries ended without an answer: a killed worker or an error of ours."""
        return self.attempts - self.refusals


class RefusedAddress(models.Model):
    """What the mail server said, for good, of an address of somebody's; on the second day it ends the
    mail to that address (project/mail/refusals.py). A mail that arrives deletes the row."""

    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        db_index=False,  # refused_address_unique begins with it
        related_name="refused_addresses",
        verbose_name=_("recipient"),
    )
    # As spellings of one mailbox are compared (project/common/mailboxes.py).
    address = models.CharField(_("address"), max_length=254)
    first_at = models.DateTimeField(_("first refused"))
    first_words = models.CharField(_("first answer"), max_length=500)
    last_at = models.DateTimeField(_("last refused"))
    last_words = models.CharField(_("last answer"), max_length=500)
    stopped_at = models.DateTimeField(_("no more mail since"), null=True, blank=True)

    class Meta:
        verbose_name = _("refused address")
        verbose_name_plural = _("refused addresses")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["recipient", "address"], name="refused_address_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.recipient_id}: {self.last_words}"

    def refuse_again(self, words: str, at: datetime) -> None:
        """Stop the mail if it is another day, in the project's time zone. Saves nothing."""
        self.last_at, self.last_words = at, words
        if timezone.localdate(at) != timezone.localdate(self.first_at):
            self.stopped_at = self.stopped_at or at


class AddressCount(models.Model):
    """How many mails of a sort an address was sent in the day that began with the first of them
    (project/mail/limits.py). It outlives the account, and tells nobody's address."""

    address = models.CharField(_("keyed hash of the address"), max_length=64)
    sort = models.CharField(_("sort"), max_length=20)
    begun_at = models.DateTimeField(_("since"), db_index=True)
    mails = models.PositiveSmallIntegerField(_("mails"), default=0)

    class Meta:
        verbose_name = _("count of mails")
        verbose_name_plural = _("counts of mails")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["address", "sort"], name="address_count_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.sort}: {self.mails}"


class MailServer(models.Model):
    """The one row that says whether the mail server answers, and which worker is sending."""

    failures = models.PositiveSmallIntegerField(_("failures in a row"), default=0)
    retry_at = models.DateTimeField(_("next try"), null=True, blank=True)
    failing_since = models.DateTimeField(_("failing since"), null=True, blank=True)
    error = models.CharField(_("reason"), max_length=500, blank=True)
    answered_at = models.DateTimeField(_("last took an email"), null=True, blank=True)
    sender = models.UUIDField(_("sending worker"), null=True, blank=True, editable=False)
    sender_until = models.DateTimeField(_("until"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("mail server")
        verbose_name_plural = _("mail server")
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="mail_server_only_one"),
        ]

    def __str__(self) -> str:
        return str(_("mail server"))
