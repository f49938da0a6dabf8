from django.db import migrations
from django.db.models import ExpressionWrapper, F, IntegerField, Value
from django.db.models.functions import Concat, Length, Substr

# How the notes began as sentences, and how they begin now.
OUTCOMES = {
    "moved to ": "moved to: ",
    "nothing to do: it is ": "nothing to do: ",
    "refund ": "refund: ",
    "the session is for another payment": "other payment",
    "the session is not the present one of the payment": "other session",
    "amount or currency differ": "amount differs",
    "not about a payment of ours": "not ours",
    "of a type that changes nothing": "other type",
    "refunded in part only: the access stays": "partly refunded",
}


def name_codes(apps, schema_editor):
    """Begin notes with a code of `payments/models/notes.py`; staff's own words stay."""
    events = apps.get_model("payments", "StripeEvent").objects
    moves = apps.get_model("payments", "PaymentMove").objects.filter(by=None)
    accesses = apps.get_model("lms", "Access").objects.filter(source="payment")
    for sentence, code in OUTCOMES.items():
        rest = Substr("outcome", len(sentence) + 1)
        events.filter(outcome__startswith=sentence).update(outcome=Concat(Value(code), rest))
    moves.filter(reason="the page was never made").update(reason="page never made")
    moves.filter(reason__regex=r"^session \w+, \w+$").update(
        reason=Concat(Value("session: "), Substr("reason", len("session ") + 1))
    )
    for rows, column in ((moves, "reason"), (accesses, "revoked_reason")):
        length = ExpressionWrapper(
            Length(F(column)) - len("charge ") - len(" refunded"), output_field=IntegerField()
        )
        charge = Substr(column, len("charge ") + 1, length)
        rows.filter(**{f"{column}__regex": r"^charge \w+ refunded$"}).update(
            **{column: Concat(Value("charge refunded: "), charge)}
        )


class Migration(migrations.Migration):
    """Say what came of Stripe's events, and why payments moved, by codes instead of sentences."""

    dependencies = [
        ("lms", "0006_indexes_of_accesses"),
        ("payments", "0007_lists_of_events"),
    ]

    operations = [
        migrations.RunPython(name_codes, migrations.RunPython.noop),
    ]
