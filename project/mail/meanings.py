"""What the words of a mail server mean to staff, and what they can do about it (docs/rules.md, 10.16)."""

from django.utils.translation import gettext_lazy as _

from project.common.meanings import Meaning, meaning_of

OPERATOR = _("Ask whoever runs the server to correct EMAIL_URL.")
BY_ITSELF = _("Nothing for now: it is tried again by itself.")
OTHER_ADDRESS = _("Ask the person for another address, by another way than email.")
REPUTATION = _(
    "Ask whoever runs the server to look at the sender address, and at SPF, DKIM and DMARC of its domain."
)

# Of a server that takes nothing from us, whoever it is for.
OF_SERVER = (
    (
        r"^\(?53[0457]\b|(?i:authentication|credentials|password)",
        Meaning(_("The mail server refuses the user name or the password."), OPERATOR),
    ),
    (
        r"Connection refused|Errno 111",
        Meaning(
            _("Nothing answers at the address of the mail server."),
            _("Ask whoever runs the server whether the mail server is off, or EMAIL_URL is wrong."),
        ),
    ),
    (
        r"Name or service not known|name resolution|getaddrinfo|nodename nor servname",
        Meaning(_("There is no mail server of that name."), OPERATOR),
    ),
    (
        r"(?i:certificate)",
        Meaning(_("The certificate of the mail server is not trusted."), OPERATOR),
    ),
    (
        r"(?i:ssl|tls)",
        Meaning(_("The connection to the mail server can't be encrypted."), OPERATOR),
    ),
    (
        r"(?i:timed out|timeout)|Network is unreachable|No route to host",
        Meaning(
            _("The mail server does not answer in time."),
            _("Ask whoever runs the server whether a firewall stands between."),
        ),
    ),
    (
        r"^4\d\d\b|(?i:too many|rate limit|try again later)",
        Meaning(_("The mail server takes no more emails at present."), BY_ITSELF),
    ),
    (
        r"^5\d\d\b|(?i:sender)",
        Meaning(_("The mail server refuses the sender address of the school."), REPUTATION),
    ),
    (
        r"(?i:closed|reset|broken pipe|disconnected)",
        Meaning(_("The mail server broke off the connection."), BY_ITSELF),
    ),
)
UNKNOWN = Meaning(
    _("The mail server reports an error that Parta does not know."),
    _("Ask whoever runs the server, and send them the words of the mail server."),
)

# Of one mail. Enhanced status codes are those of RFC 3463.
OF_MAIL = (
    (
        r"\b[45]\.1\.\d|(?i:no such|user unknown|unknown user|does not exist)",
        Meaning(_("Nobody has this address."), OTHER_ADDRESS),
    ),
    (
        r"\b[45]\.2\.2|(?i:quota|mailbox (is )?full)",
        Meaning(_("The mailbox is full."), OTHER_ADDRESS),
    ),
    (r"\b[45]\.3\.4|(?i:too (big|large))", Meaning(_("The email is too large."), OTHER_ADDRESS)),
    (
        r"^4\d\d\b|(?i:greylist)",
        Meaning(_("The recipient's mail server asks to come again later."), BY_ITSELF),
    ),
    (
        r"^5\d\d\b",
        Meaning(_("The recipient's mail server refuses emails of the school."), REPUTATION),
    ),
    (
        r"(?i:closed|reset|timed out|disconnected)",
        Meaning(_("The connection to the mail server broke off."), BY_ITSELF),
    ),
    (
        r"^\w+\(",
        Meaning(
            _("Parta could not write this email."),
            _("Ask whoever runs the server, and send them the address of this page."),
        ),
    ),
)


def meaning_of_failure(words: str) -> Meaning:
    """Why the mail server takes nothing."""
    return meaning_of(words, OF_SERVER) or UNKNOWN


def meaning_of_answer(words: str) -> Meaning | None:
    """Why it did not take one mail; None where the words are ours, which say it themselves."""
    return meaning_of(words, OF_MAIL)
