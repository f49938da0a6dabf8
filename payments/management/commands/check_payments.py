"""`manage.py check_payments`: where money, access and Stripe disagree."""

from datetime import datetime

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from payments.models import Finding, FindingStatus
from payments.models.findings import AT_STRIPE
from payments.provider.types import ProviderError
from payments.services import consistency


class Command(BaseCommand):
    help = (
        "Lists every disagreement between payments, access and Stripe, and keeps each as a finding "
        "for the admin; repairs nothing unless --fix is given. Exit code 1 while something is wrong."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="repair what can be repaired")
        parser.add_argument(
            "--without-stripe", action="store_true", help="compare with our own books only"
        )

    def handle(self, *, fix: bool, without_stripe: bool, **options: object) -> None:
        now = timezone.now()
        consistency.check_payments(fix=fix, at=now)
        try:
            if not without_stripe:
                consistency.compare_with_stripe(consistency.to_ask_about(), fix=fix, at=now)
        except ProviderError as error:
            raise CommandError(
                _("Stripe is not responding: %(error)s") % {"error": error}
            ) from error
        finally:
            wrong, repaired = self.tell(now, with_stripe=not without_stripe)
        if wrong:
            message = _("%(wrong)s disagreements, %(repaired)s repaired.")
            raise CommandError(message % {"wrong": wrong + repaired, "repaired": repaired})
        self.stdout.write(
            _("%(repaired)s repaired; everything is consistent now.") % {"repaired": repaired}
            if repaired
            else _("Everything is consistent.")
        )

    def tell(self, now: datetime, *, with_stripe: bool) -> tuple[int, int]:
        """Write what is wrong and what was repaired just now; return how many each are."""
        repaired_now = Q(status=FindingStatus.REPAIRED, last_seen_at=now)
        findings = Finding.objects.filter(Q(status=FindingStatus.OPEN) | repaired_now)
        if not with_stripe:
            findings = findings.exclude(kind__in=AT_STRIPE)
        wrong = repaired = 0
        for found in findings.order_by("pk"):
            is_open = found.status == FindingStatus.OPEN
            wrong += is_open
            repaired += not is_open
            mark = "" if is_open else _(" (repaired)")
            about = f"payment {found.payment_id}" if found.payment_id else found.reference
            self.stdout.write(f"{found.kind} {about}: {found.detail}{mark}")
        return wrong, repaired
