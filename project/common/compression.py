from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class CompressionMiddleware(GZipMiddleware):
    """Compresses pages, with Django's padding against BREACH.

    Files go as they are: who waits for one sees how much is still to come. The API compresses by
    itself, as its tags have to stay strong (`project/common/api/responses.py`).
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if response.streaming or request.path.startswith("/api/"):
            return response
        return super().process_response(request, response)
