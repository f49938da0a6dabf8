"""The SDK's transport, with Stripe's own description looking at all that passes through."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

import stripe

from payments.tests.stripe_description import Description, Violation


class SpecCheckedClient(stripe.RequestsClient):
    """Answers a wrong request itself, in the shape of Stripe's 400; a wrong answer fails the test.

    Set `description` before use; `checked` counts the answers that were found right.
    """

    description: ClassVar[Description]
    checked: ClassVar[int] = 0

    def request(  # type: ignore[override]  # as in RequestsClient itself
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        parts = urlsplit(url)
        try:
            self.description.check_request(method, parts.path, parts.query, post_data or "")
        except Violation as violation:
            return _refusal(violation), 400, {"request-id": "req_refused_by_description"}
        content, status, answered = super().request(method, url, headers, post_data)
        if answered.get("content-type") == "application/json":
            self.description.check_answer(method, parts.path, status, content)
            type(self).checked += 1
        return content, status, answered


def _refusal(violation: Violation) -> bytes:
    error = {
        "type": "invalid_request_error",
        "message": str(violation),
        "param": violation.where,
        "code": "refused_by_description",
    }
    return json.dumps({"error": error}).encode()
