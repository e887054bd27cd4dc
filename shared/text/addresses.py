"""Web addresses that people paste and files name, taken apart by one rule. Pure."""

import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import SplitResult, urlsplit

LONGEST: Final = 2000
"""Characters of an address."""
WEB: Final = frozenset({"http", "https"})
LONGEST_HOST: Final = 253
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


def parts_of(given: str) -> SplitResult | None:
    """The parts of any URL; nothing where it cannot be taken apart. Its port can be asked for."""
    try:
        parts = urlsplit(given)
        parts.port  # noqa: B018 - only asking says whether it is one
    except ValueError:
        return None
    return parts


def web_address(given: str) -> SplitResult:
    """The parts of an http or https address. Raises `ValueError` with what is wrong with it, without quoting it."""
    if len(given) > LONGEST:
        raise ValueError(f"it has more than {LONGEST} characters")
    if any(character.isspace() or unicodedata.category(character)[0] == "C" for character in given):
        raise ValueError("it holds a space or an invisible character")
    parts = parts_of(given)
    if parts is None:
        raise ValueError("its host or port cannot be read")
    if parts.scheme not in WEB:
        raise ValueError("it does not begin with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it holds a name or password before its host")
    if not is_host(parts.hostname or ""):
        raise ValueError("it names no host")
    return parts


def is_host(name: str) -> bool:
    """Whether it can be a host: a domain in any script, the name of a machine, or an IP address."""
    if ":" in name:
        return _is_ip(IPv6Address, name)
    try:
        labels = name.removesuffix(".").encode("idna").decode().lower().split(".")
    except UnicodeError:
        return False
    if _NUMBER.fullmatch(labels[-1]):  # a number at the end makes it an IPv4 address, or nothing
        return _is_ip(IPv4Address, name)
    return len(name) <= LONGEST_HOST and all(_LABEL.fullmatch(label) for label in labels)


def _is_ip(kind: type[IPv4Address] | type[IPv6Address], name: str) -> bool:
    try:
        kind(name)
    except ValueError:
        return False
    return True
