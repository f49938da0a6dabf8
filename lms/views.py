"""The one page of the courses: ending a subscription from a mail, without logging in."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import override
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from lms.mails import subscription_of
from lms.models import Course
from lms.services import subscriptions


@never_cache
@csrf_exempt  # RFC 8058: mail clients post without cookies; the signature in the link is the proof
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """POST ends the subscription. GET only asks: scanners of mails follow every link."""
    found = subscription_of(token)
    if found is None:
        return render(request, "lms/unsubscribe.html", {"state": "unknown"}, status=404)
    person, course_id = found
    if request.method == "POST" and person is not None:
        subscriptions.unsubscribe(user=person, course_id=course_id)
    language = getattr(person, "language", request.LANGUAGE_CODE)
    context = {
        "state": "done" if request.method == "POST" else "ask",
        "course": Course.objects.filter(pk=course_id, is_published=True).first(),
    }
    with override(language):
        return render(request, "lms/unsubscribe.html", context)
