"""`manage.py check_payments`: where money, access and Stripe disagree."""

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from payments.provider.types import ProviderError
from payments.services import consistency


class Command(BaseCommand):
    help = (
        "Lists every disagreement between payments, access and Stripe; changes nothing unless "
        "--fix is given. Exit code 1 while something is wrong."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="repair what can be repaired")
        parser.add_argument(
            "--without-stripe", action="store_true", help="compare with our own books only"
        )

    def handle(self, *, fix: bool, without_stripe: bool, **options: object) -> None:
        wrong = repaired = 0
        try:
            for found in consistency.find_disagreements(with_stripe=not without_stripe):
                wrong += 1
                mark = ""
                if fix and found.repair is not None:
                    found.repair()
                    repaired += 1
                    mark = _(" (repaired)")
                self.stdout.write(f"{found.kind} payment {found.payment_id}: {found.detail}{mark}")
        except ProviderError as error:
            raise CommandError(
                _("Stripe is not responding: %(error)s") % {"error": error}
            ) from error
        if wrong > repaired:
            message = _("%(wrong)s disagreements, %(repaired)s repaired.")
            raise CommandError(message % {"wrong": wrong, "repaired": repaired})
        self.stdout.write(
            _("%(repaired)s repaired; everything is consistent now.") % {"repaired": repaired}
            if repaired
            else _("Everything is consistent.")
        )
