from django.db import migrations
from django.db.models import F, Value
from django.db.models.functions import Concat, Substr
from django.utils import timezone

# How a move began whose reason was a charge, and how it begins now.
CHARGE, REFUND = "charge refunded: ", "refund: "


def add_refunds(apps, schema_editor):
    """What is refunded was given back whole: one refund with the words of the move."""
    payments = apps.get_model("payments", "Payment").objects
    moves = apps.get_model("payments", "PaymentMove").objects
    refunds = apps.get_model("payments", "Refund").objects
    events = apps.get_model("payments", "StripeEvent").objects
    accesses = apps.get_model("lms", "Access").objects.filter(source="payment")
    for rows, column in ((moves.filter(by=None), "reason"), (accesses, "revoked_reason")):
        rest = Concat(Value(REFUND), Substr(column, len(CHARGE) + 1), Value(", succeeded"))
        rows.filter(**{f"{column}__startswith": CHARGE}).update(**{column: rest})
    events.filter(outcome="partly refunded").update(outcome="nothing to do: paid")
    payments.filter(status="refunded").update(refunded_amount=F("amount"))
    known = {move.payment_id: move for move in moves.filter(to_status="refunded").order_by("id")}
    made = []
    for payment in payments.filter(status="refunded", amount__gt=0):
        move = known.get(payment.pk)
        at = move.created_at if move else timezone.now()
        made.append(
            refunds.model(
                payment_id=payment.pk,
                amount=payment.amount,
                status="succeeded",
                reason=move.reason if move else "",
                by_id=move.by_id if move else None,
                created_at=at,
                settled_at=at,
            )
        )
    refunds.bulk_create(made, batch_size=1000)


class Migration(migrations.Migration):
    """Give the payments that are refunded a refund each."""

    dependencies = [("payments", "0009_refunds_and_disputes")]

    operations = [
        migrations.RunPython(add_refunds, migrations.RunPython.noop),
    ]
