"""The pages of the admin fit each screen, light and dark."""

import pytest

from lms.services import authoring
from lms.tests.factories import CourseFactory, LessonFactory, SubscriptionFactory
from payments.tests.factories import PaymentFactory

pytestmark = [
    pytest.mark.browser,
    pytest.mark.appearance,
    pytest.mark.django_db(transaction=True),
]


# A desktop, one at 200 %, a phone, and the narrowest that has to do without scrolling sideways.
@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), (640, "dark"), (390, "light"), (320, "dark")]
)
def test_pages_fit_the_screen(page, enter, administrator, moderators, width, scheme):
    course = CourseFactory.create(published=True, title="Bread")
    lesson, _other = LessonFactory.create_batch(2, course=course)
    SubscriptionFactory.create(course=course)
    authoring.update_course(course=course, changes={"title": "Rolls"}, by=course.owner)
    payment = PaymentFactory.create(course=course, paid=True)
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    enter(administrator)
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
        f"/admin/payments/payment/{payment.pk}/change/",
        f"/admin/payments/payment/{payment.pk}/refund/",
        "/admin/payments/payment/import/",
        "/admin/django_q/schedule/",
        "/admin/security/",
        "/admin/security/set-up/",
    ):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), address
