"""The HTML part of a mail as the page of a frame."""

from django.http import HttpResponse

from project.common.csp import policy_of_letter


def framed_letter(html: str, **directives: list[str]) -> HttpResponse:
    """Without scripts, forms or anything from elsewhere; `directives` say what else the policy has."""
    response = HttpResponse(html)
    response["X-Frame-Options"] = "SAMEORIGIN"
    policy = policy_of_letter() | directives
    response._csp_config = policy  # type: ignore[attr-defined]  # noqa: SLF001
    return response
