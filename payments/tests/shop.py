"""What tests of a purchase ask again and again."""

from payments.models import Payment


def can_learn(api, person, lesson):
    return api(person).get(f"learning/lessons/{lesson.pk}").status_code == 200


def the_payment():
    return Payment.objects.get()


def session_of(payment):
    return Payment.objects.get(pk=payment["id"]).session_id


def events_of(stripe_sandbox, kind="checkout.session"):
    return [event for event in stripe_sandbox.events if event["type"].startswith(kind)]
