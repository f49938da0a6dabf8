"""The pages of the admin fit each screen, light and dark, whatever the school's colour."""

from datetime import date
from pathlib import Path

import pytest

from lms.services import authoring
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from payments.tests.factories import LedgerEntryFactory, PaymentFactory
from project.school.services import update_school

pytestmark = [
    pytest.mark.browser,
    pytest.mark.any_database,
    pytest.mark.django_db(transaction=True),
]


LONG = "A course about " + "bread " * 15 + "Ж" * 90


# A desktop, one at 200 %, a phone, and the narrowest that has to do without scrolling sideways.
@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), (640, "dark"), (390, "light"), (320, "dark")]
)
def test_pages_fit_the_screen(page, enter, administrator, moderators, width, scheme):
    course = CourseFactory.create(published=True, title=LONG)
    lesson, _other = LessonFactory.create_batch(2, course=course, title=LONG)
    SubscriptionFactory.create(course=course)
    authoring.update_course(course=course, changes={"title": f"{LONG}!"}, by=course.owner)
    payment = PaymentFactory.create(course=course, paid=True)
    LedgerEntryFactory.create(payment=payment, day=date(2020, 2, 1))
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    enter(administrator)
    wide = {}
    for address in (
        "/admin/",
        "/admin/lms/course/",
        f"/admin/lms/course/{course.pk}/change/",
        f"/admin/lms/course/{course.pk}/history/",
        f"/admin/lms/lesson/{lesson.pk}/change/",
        "/admin/lms/lesson/",
        "/admin/lms/pendingupdate/",
        f"/admin/lms/pendingupdate/{course.pk}/change/",
        f"/admin/lms/pendingupdate/{course.pk}/drop/",
        "/admin/lms/access/add/",
        "/admin/people/user/",
        f"/admin/people/user/{administrator.pk}/change/",
        "/admin/people/role/add/",
        "/admin/payments/payment/",
        f"/admin/payments/payment/add/?payer={payment.payer_id}&course={course.pk}",
        f"/admin/payments/payment/{payment.pk}/change/",
        f"/admin/payments/payment/{payment.pk}/refund/",
        "/admin/payments/payment/import/",
        "/admin/payments/closedmonth/",
        "/admin/payments/closedmonth/2020-02/",
        "/admin/payments/closedmonth/2020-02/close/",
        "/admin/payments/ledgerentry/",
        "/admin/django_q/schedule/",
        "/admin/school/school/1/change/",
        "/admin/security/",
        "/admin/security/set-up/",
    ):
        page.goto(address)
        if (needed := page.evaluate("document.documentElement.scrollWidth")) > width:
            wide[address] = needed
    assert wide == {}


FAULTS = (Path(__file__).parent / "page_faults.js").read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_colour_of_the_school_makes_the_admin_harder_to_read(page, enter, administrator, scheme):
    """Symbols of Unfold's are paler than texts should be, in its own colours too."""
    page.emulate_media(color_scheme=scheme)
    enter(administrator)
    faults: dict[str, set[str]] = {}
    for colour in ("", "#ffffff", "#ffdd00", "#00ff00"):
        update_school(changes={"colour": colour})
        page.goto("/admin/school/school/1/change/")
        faults[colour] = set(page.evaluate(FAULTS)) - faults.get("", set())
    del faults[""]
    assert not any(faults.values()), faults
