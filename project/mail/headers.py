"""What stands in the header fields of a mail: any text, written so that it is read back as it is."""

import re
from email.charset import Charset
from email.header import Header
from email.utils import formataddr
from urllib.parse import urlsplit

from django.utils.encoding import iri_to_uri

from project.common.mailboxes import for_sending
from project.common.texts import one_line

UTF8 = Charset("utf-8")
# Stands in one line with the name of its field (RFC 5322: 78 characters).
SHORT = re.compile("[ -~]{0,66}")
# It would be read as an encoded word (RFC 2047), also where none may be.
ENCODED = "=?"
# What of a sender's name is shown; the line of the field must not exceed 998 bytes.
LONGEST_NAME = 100
# A local part with or without quotes, and a host (RFC 5321).
ATOM = r"[-!#$%&'*+/=?^_`{|}~0-9A-Za-z]+"
QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
HOST = r"[0-9A-Za-z](?:[-.0-9A-Za-z]*[0-9A-Za-z])?|\[[0-9A-Za-z.:]+\]"
ADDRESS = re.compile(rf"(?:{ATOM}(?:\.{ATOM})*|{QUOTED})@(?:{HOST})")


def unstructured(name: str, text: str) -> str:
    """Return the value of a field that is read by people alone: plain if that is read back as it is,
    or in encoded words."""
    text = one_line(text)
    if SHORT.fullmatch(text) and ENCODED not in text:
        return text
    return Header(text, UTF8, header_name=name).encode(linesep="\r\n")


def mailbox(name: str, address: str) -> str:
    """Return the value of a field that names a sender. The name is one encoded word if it is not
    plain: several are read with spaces between them by Python and others."""
    name = one_line(name)[:LONGEST_NAME].rstrip()
    if ENCODED in name:
        return f"{UTF8.header_encode(name)} <{addressed(address)}>"
    return formataddr((name, addressed(address)))


def addressed(address: str) -> str:
    """Return an address, in the form for servers, as it stands in a field or a command; always one
    line. Raises ValueError for what no server could be told."""
    if not ADDRESS.fullmatch(address):
        message = f"Invalid address {address!r}"
        raise ValueError(message)
    if ENCODED not in address:
        return address
    local, _at, host = address.rpartition("@")
    escaped = local.strip('"').replace(ENCODED, r"=\?")
    return f'"{escaped}"@{host}'


def uri(link: str) -> str:
    """Return an address of the web in ASCII: the school's site may be `https://школа.рф`."""
    if link.isascii():
        return link
    parts = urlsplit(link)
    host, colon, port = parts.netloc.partition(":")
    netloc = for_sending(f"@{host}").removeprefix("@") + colon + port
    return iri_to_uri(parts._replace(netloc=netloc).geturl())
