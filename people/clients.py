"""From where somebody calls, and with what: as a record keeps it, and as people read it."""

import re
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.translation import gettext as _

from people.models.log_ins import DEVICE_LENGTH
from people.throttles import UNKNOWN, client_address

# The first that stands in the header: most browsers name those that they descend from as well.
BROWSERS = {
    "Edg": "Edge",
    "YaBrowser": "Yandex Browser",
    "OPR": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "CriOS": "Chrome",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}
PRODUCT = re.compile(r"[\w.-]{1,40}")


@dataclass(frozen=True)
class Client:
    """Empty texts where nobody knows."""

    address: str = ""
    device: str = ""


def client_of(request: HttpRequest) -> Client:
    address = client_address(request)
    device = request.headers.get("User-Agent", "").replace("\0", "")
    return Client("" if address == UNKNOWN else address, device[:DEVICE_LENGTH])


def in_words(device: str) -> str:
    """What a person calls it: "Firefox on Windows"; of a program, its name."""
    browser, system = _named_in(device, BROWSERS), _named_in(device, SYSTEMS)
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    product = PRODUCT.match(device)
    return browser or system or (product[0] if product else _("unknown device"))


def _named_in(device: str, names: dict[str, str]) -> str:
    return next((name for mark, name in names.items() if mark in device), "")
