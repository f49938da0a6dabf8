"""What the admin lists beside a model is compared with the model: a new field or model is noticed."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.test import RequestFactory

from lms.admin.diffs import ONLY_CHANGED, differences
from lms.history import change_of
from lms.tests.factories import CourseFactory, LessonFactory
from people.clients import Client
from people.services import admin_sessions
from project.admin_site.gate import SessionProof
from project.admin_site.menu import MENU

pytestmark = pytest.mark.django_db

# Not on the page of their row under their own name: what shows them instead, or why nothing does.
ELSEWHERE = {
    "lms.Course": {
        "owner": "the head, and chosen for a new course",
        "created_at": "the history",
        "updated_at": "the list",
        "summary": "the description, when it is saved",
        "description_html": "the description, when it is saved",
        "searched": "the texts that it is made of",
        "materials_updated_at": "what subscribers are told, in the history",
    },
    "lms.Lesson": {
        "summary": "the description, when it is saved",
        "description_html": "the description, when it is saved",
        "searched": "the texts that it is made of",
        "position": "the rows of the course",
        "created_at": "the history",
        "updated_at": "the list",
    },
    "lms.Access": {
        "reference": "the page of the payment",
        "revoked_at": "shown once it was revoked",
        "revoked_reason": "shown once it was revoked",
    },
    "people.User": {
        "avatar": "chosen by the person",
        "email_confirmed_at": "email_confirmed",
        "new_email": "the mails",
        "blocked_reason": "state",
        "is_active": "state",
        "warned_at": "warned_on",
        "inactivity_from": "blocked_from",
        "kept_at": "shown while the account is kept",
        "kept_reason": "shown while the account is kept",
        "token_version": "ends tokens, says nothing",
        "identity": "in tokens and links, says nothing",
        "searched": "the texts that it is made of",
        "searched_by_staff": "the texts that it is made of",
        "groups": "roles",
        "user_permissions": "roles give rights",
    },
    "payments.Payment": {
        "title": "the name of the page",
        "searched": "the texts that it is made of",
        "amount": "amount_shown",
        "currency": "amount_shown",
        "refunded_amount": "refunded",
        "payment_intent_id": "charge",
        "created_at": "the history below",
        "checked_at": "the history below",
        "session_expires_at": "the history below",
        "session_url": "for the payer only",
        "token": "for the payer only",
        "attempt": "part of keys at Stripe",
        "livemode": "where the ids at Stripe are known",
        "account_id": "where the ids at Stripe are known",
        "received_amount": "the question before it is accepted",
        "received_currency": "the question before it is accepted",
        "refusal": "the history below",
        "refused_at": "the history below",
    },
    "payments.Finding": {"params": "detail_shown"},
    "school.School": {},
    "payments.Dispute": {
        "amount": "amount_shown",
        "currency": "amount_shown",
        "reason": "reason_in_words",
        "evidence_due_by": "deadline",
        "told_at": "the history of the payment",
    },
    "payments.LedgerEntry": {
        "amount": "amount_shown",
        "currency": "amount_shown",
        "closed_in": "counts_in",
    },
    "payments.Refund": {
        "amount": "amount_shown",
        "failure": "failure_in_words",
        "token": "part of keys at Stripe",
    },
}


@pytest.mark.parametrize("label", ELSEWHERE)
def test_each_field_is_on_the_page_of_its_row_or_named_here(label, administrator):
    model = apps.get_model(label)
    request = RequestFactory().get("/")
    request.user = administrator
    session = admin_sessions.begin(administrator, Client())
    request.proof = SessionProof(session, administrator)  # type: ignore[attr-defined]
    model_admin = admin.site.get_model_admin(model)
    shown = flatten_fieldsets(model_admin.get_fieldsets(request, model()))
    fields = {field.name for field in (*model._meta.fields, *model._meta.many_to_many)}
    assert fields - {*shown, model._meta.pk.name} == set(ELSEWHERE[label])


@pytest.mark.parametrize("factory", [CourseFactory, LessonFactory])
def test_what_was_created_is_told_field_by_field_but_for_those_named(factory):
    row = factory.create(title="Bread", description="Rye", price=100)
    change = change_of(row, row.history.get().history_id)
    assert change is not None
    filled = {field.name for field in change.fields if field.after} - ONLY_CHANGED
    told = {str(row._meta.get_field(name).verbose_name) for name in filled}
    assert {difference.label for difference in differences(change)} == told
    assert {"title", "description", "price"} <= filled


def test_each_model_of_the_admin_is_in_the_menu():
    registered = {model._meta.label for model in admin.site._registry}
    assert registered == {label for _title, models in MENU for label in models}
