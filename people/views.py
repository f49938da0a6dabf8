"""The one page of people outside of the API: the file with their data."""

from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from people.mails import export_of
from people.models.exports import private_storage
from project.common.frontend import profile_page


@never_cache
@require_safe
def download_export(request: HttpRequest, token: str) -> HttpResponseBase:
    """Whoever has the link may have the file: it stands in one mail, and nowhere else."""
    export = export_of(token)
    try:
        file = private_storage().open(export.file) if export else None
    except FileNotFoundError:  # deleted at this moment
        file = None
    if export is None or file is None:
        context = {"profile_page": profile_page()}
        return render(request, "people/export_gone.html", context, status=404)
    name = f"parta-{export.requested_at:%Y-%m-%d}.zip"
    response = FileResponse(file, as_attachment=True, filename=name)
    response["X-Robots-Tag"] = "noindex"
    return response
