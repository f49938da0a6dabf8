from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.db import migrations, models
from django.db.models import Exists, F, Max, OuterRef, Value
from django.db.models.functions import TruncDate
from django.utils import timezone

from project.common.db.bulk import insert_selected

BATCH = 10_000


def post_what_is_there(apps, schema_editor):
    """An entry for each payment that is paid, each refund that succeeded and each dispute that is
    lost, on its day. What has entries is left alone: stopped half-way, it is run again."""
    payments = apps.get_model("payments", "Payment")
    refunds = apps.get_model("payments", "Refund")
    disputes = apps.get_model("payments", "Dispute")
    paid = payments.objects.exclude(paid_at=None)
    post = Poster(apps)
    post("payment", paid.exclude(amount=0), "", F("amount"), "currency", "paid_at")
    given_back = refunds.objects.filter(status="succeeded")
    post("refund", given_back, "payment__", -F("amount"), "payment__currency", "settled_at")
    # Of old fixtures, without a row of the refund.
    nameless = paid.filter(refunded_amount__gt=0).exclude(
        Exists(given_back.filter(payment=OuterRef("pk")))
    )
    post("refund", nameless, "", -F("refunded_amount"), "currency", "paid_at")
    lost = disputes.objects.filter(status="lost")
    post("dispute", lost, "payment__", -F("amount"), "currency", "told_at")


class Poster:
    def __init__(self, apps):
        self.entries = apps.get_model("payments", "LedgerEntry")
        school = apps.get_model("school", "School").objects.first()
        name = school.time_zone if school else ""
        self.zone = ZoneInfo(name if name in available_timezones() else settings.TIME_ZONE)

    def __call__(self, kind, rows, to_payment, amount, currency, at):
        """Write an entry for each of the rows, from which `to_payment` leads to the payment."""
        posted = self.entries.objects.filter(kind=kind, payment=OuterRef(f"{to_payment}pk"))
        columns = {
            "payment_id": F(f"{to_payment}pk"),
            "kind": Value(kind),
            "method": F(f"{to_payment}method"),
            "currency": F(currency),
            "amount": amount,
            "day": TruncDate(at, tzinfo=self.zone),
            "created_at": Value(timezone.now()),
        }
        unposted = rows.filter(~Exists(posted)).order_by()
        number = f"{to_payment}pk"
        last = rows.aggregate(last=Max(number))["last"] or 0
        # All that is to be posted of a payment is posted at once.
        for after in range(0, last, BATCH):
            batch = unposted.filter(**{f"{number}__gt": after, f"{number}__lte": after + BATCH})
            insert_selected(self.entries, columns, batch)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("payments", "0030_closing"),
        ("school", "0001_school"),
    ]

    operations = [
        migrations.AlterField(
            model_name="finding",
            name="kind",
            field=models.CharField(
                choices=[
                    ("paid_without_access", "paid, but no access"),
                    ("access_without_payment", "access without a payment"),
                    ("ledger_differs", "not as in the ledger"),
                    ("paid_twice", "paid twice"),
                    ("amount_differs", "another amount at Stripe"),
                    ("unknown_at_stripe", "unknown to Stripe"),
                    ("stripe_says_otherwise", "Stripe says otherwise"),
                    ("open_too_long", "open for too long"),
                    ("processing_too_long", "processing for too long"),
                    ("refund_failed", "refund failed"),
                    ("refund_unanswered", "refund without an outcome"),
                    ("webhook_differs", "webhook set up differently"),
                    ("price_refused", "price refused by Stripe"),
                    ("paid_for_deleted", "paid for what was deleted"),
                    ("not_understood", "not understood"),
                    ("other_mode", "in Stripe's other mode"),
                ],
                max_length=30,
                verbose_name="kind",
            ),
        ),
        migrations.RunPython(post_what_is_there, migrations.RunPython.noop),
    ]
