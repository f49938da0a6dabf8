"""Addresses of e-mail: how one mailbox is kept, compared and sent to, whatever its spelling.

A domain has two forms, one for people (`школа.рф`) and one for servers (`xn--80atdl2c.xn--p1ai`), and
is typed in many. It is kept in the first; what is typed is read as UTS 46 asks, by IDNA 2008: the
2003 edition, which Python has of its own, sends mail for `faß.de` to `fass.de`, somebody else's.
"""

import idna

# In bytes, as servers know it (RFC 5321, without the angle brackets).
LONGEST = 254


def canonical(address: str) -> str:
    """Return the address as it is kept: with the domain as people write it, the rest as typed. What
    is no address, or has no possible domain, is only trimmed and its domain in small letters."""
    local, at, domain = address.strip().rpartition("@")
    return f"{local}{at}{readable_domain(domain) if at else domain}"


def compared(address: str) -> str:
    """Return what two spellings of one mailbox have in common; it is not to be kept or sent to."""
    return canonical(address).lower()


def for_sending(address: str) -> str:
    """Return the address as mail servers know it, in ASCII if its domain is possible at all."""
    local, at, domain = address.rpartition("@")
    return local + at + (_encoded(domain) or domain)


def is_possible(address: str) -> bool:
    """Say whether a server could know the address. Letters with a case, which IDNA leaves to
    Cherokee alone, are none that databases agree about."""
    domain = address.rpartition("@")[2]
    readable = readable_domain(domain)
    is_known = _encoded(domain) is not None and readable == readable.lower()
    return is_known and len(for_sending(address)) <= LONGEST


def readable(text: str) -> str:
    """Return what is searched for with addresses, and domains in the form for servers, as kept."""
    return " ".join(
        canonical(f"@{word}")[1:] if "@" in word or "xn--" in word.lower() else word
        for word in text.split()
    )


def readable_domain(domain: str) -> str:
    """Return a domain as people write it, in small letters; what is none is only made small."""
    encoded = _encoded(domain)
    if encoded is None:
        return domain.lower()
    return idna.decode(encoded) if "xn--" in encoded else encoded


def _encoded(domain: str) -> str | None:
    """The domain as servers know it, None if it is no possible one. IDNA has no say about names that
    were always ASCII, and refuses what is too long before it reads it."""
    lowered = domain.lower()
    if domain.isascii() and "xn--" not in lowered:
        return lowered
    try:
        return idna.encode(domain, uts46=True).decode()
    except UnicodeError:
        return None
