"""What people do in lms: one function, one transaction, one thing a person did."""

from lms.services.access import (
    NewAccess,
    NoAccess,
    NotRevocable,
    complete_lesson,
    enroll,
    grant_access,
    grant_new_access,
    reopen_lesson,
    revoke_access,
    take_back,
)
from lms.services.authoring import (
    MATERIALS,
    HasPayments,
    create_course,
    create_lesson,
    delete_course,
    delete_lesson,
    has_payments,
    set_preview,
    update_course,
    update_lesson,
)
from lms.services.restoring import RESTORABLE, NothingToPutBack, put_back
from lms.services.subscriptions import subscribe, unsubscribe
from lms.services.updates import Change, collected_go_out_at, record_update, tell_collected

__all__ = [
    "MATERIALS",
    "RESTORABLE",
    "Change",
    "HasPayments",
    "NewAccess",
    "NoAccess",
    "NotRevocable",
    "NothingToPutBack",
    "collected_go_out_at",
    "complete_lesson",
    "create_course",
    "create_lesson",
    "delete_course",
    "delete_lesson",
    "enroll",
    "grant_access",
    "grant_new_access",
    "has_payments",
    "put_back",
    "record_update",
    "reopen_lesson",
    "revoke_access",
    "set_preview",
    "subscribe",
    "take_back",
    "tell_collected",
    "unsubscribe",
    "update_course",
    "update_lesson",
]
