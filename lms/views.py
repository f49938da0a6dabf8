"""The one page of the courses: how to hear of updates, chosen from a mail without logging in."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import override
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from lms.mails import subscription_of
from lms.models import Course
from lms.services import subscriptions
from people.models import CourseMails, User
from project.common.frontend import course_page, profile_page, start_page

# Of a link about one course: what a POST means that chooses nothing, as a mail client's own.
LEAVE = "leave"


@never_cache
@csrf_exempt  # RFC 8058: mail clients post without cookies; the signature in the link is the proof
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """POST does what was chosen: `leave` ends the subscription to the course of the link, `at_once`,
    `daily` and `never` count for all courses. Without a choice it ends what the mail was about, the
    course or all. GET only asks: scanners of mails follow every link."""
    found = subscription_of(token)
    if found is None:
        unknown = {"state": "unknown", "start_page": start_page()}
        return render(request, "lms/unsubscribe.html", unknown, status=404)
    person, course_id = found
    offered = [LEAVE, *CourseMails.values] if course_id else CourseMails.values
    chosen = request.POST.get("choice", LEAVE if course_id else CourseMails.NEVER)
    is_done = request.method == "POST" and chosen in offered
    if is_done and person is not None:
        _choose(person, course_id, chosen)
    language = getattr(person, "language", request.LANGUAGE_CODE)
    course = Course.objects.filter(pk=course_id or 0, is_published=True).first()
    context = {
        "state": "done" if is_done else "ask",
        "chosen": chosen,
        "is_about_one": bool(course_id),
        "course": course,
        "course_page": course_page(course.pk) if course else "",
        "start_page": start_page(),
        "profile_page": profile_page(),
    }
    status = 400 if request.method == "POST" and not is_done else 200
    with override(language):
        return render(request, "lms/unsubscribe.html", context, status=status)


def _choose(person: User, course_id: int | None, chosen: str) -> None:
    if course_id and chosen == LEAVE:
        subscriptions.unsubscribe(user=person, course_id=course_id)
    else:
        subscriptions.choose_for_all(user=person, how=CourseMails(chosen))
