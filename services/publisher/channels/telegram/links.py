"""Links to Telegram's messages as its applications copy them, and what is still missing to find a delivery by them. Pure.

    t.me/<name>/<message>           t.me/s/<name>/<message>         <name>.t.me/<message>
    t.me/<name>/<thread>/<message>  t.me/c/<chat>/<message>         t.me/c/<chat>/<thread>/<message>
    tg://resolve?domain=<name>&post=<message>                       tg://privatepost?channel=<chat>&post=<message>

each with `?single`, `?thread=`, `?t=` or nothing behind it, and `telegram.me` or `telegram.dog` for `t.me`.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, unquote

from services.publisher.channels.pasted_links import LinkRefused, PastedLinks, read_link
from services.publisher.channels.port import Posted
from shared.text.addresses import parts_of

HOSTS: Final = frozenset({"t.me", "telegram.me", "telegram.dog"})
NOT_NAMES: Final = frozenset(
    {
        *(
            "a",
            "addemoji",
            "addlist",
            "addstickers",
            "addtheme",
            "b",
            "bg",
            "boost",
            "c",
            "call",
            "confirmphone",
        ),
        *("contact", "giftcode", "invoice", "iv", "joinchat", "k", "login", "m", "msg", "nft", "proxy", "s"),
        *("setlanguage", "share", "socks", "start", "web", "www"),
    }
)
"""First words of paths, or of hosts, under which Telegram keeps something else than a chat."""
NAME: Final = re.compile(r"[A-Za-z0-9_]{1,32}")
CHAT: Final = re.compile(r"[0-9]{1,13}")
NUMBER: Final = re.compile(r"0{0,20}[1-9][0-9]{0,9}")
LARGEST: Final = (1 << 31) - 1
"""Of a message's number."""
COPY: Final = (
    "On the message choose “Copy link”: it ends in the message's number, as in https://t.me/name/123."
)


@dataclass(frozen=True, slots=True)
class RemoteId:
    """Where a delivery lies: its chat and all its messages. Kept as `<chat>/<id>,<id>`."""

    chat: str
    messages: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.chat}/{','.join(map(str, self.messages))}"

    @classmethod
    def parse(cls, text: str) -> "RemoteId | None":
        """The id in `text`, or in a link to one message; `None` when it is neither, as when nobody told which it is."""
        chat, _, messages = text.rpartition("/")
        numbers = tuple(map(_number, messages.split(",")))
        if (chat.startswith("@") or chat.removeprefix("-").isdecimal()) and 0 not in numbers:
            return cls(chat, numbers)
        try:
            link = message_link(text)
        except LinkRefused:
            return None
        return cls(link.chat, (link.message,))


@dataclass(frozen=True, slots=True)
class MessageLink:
    """What a link to a message says."""

    chat: str
    """`@name`, or `-100…` of a chat without a name."""
    message: int
    thread: int | None = None

    @property
    def url(self) -> str:
        """The same message's address in its plain form."""
        place = self.chat[1:] if self.chat.startswith("@") else f"c/{self.chat.removeprefix('-100')}"
        thread = f"{self.thread}/" if self.thread else ""
        return f"https://t.me/{place}/{thread}{self.message}"


def message_link(link: str) -> MessageLink:
    """What a link that somebody copied says. Raises `LinkRefused`."""
    if link.strip().lower().startswith("tg:"):
        return _of_the_app(link.strip())
    parts = read_link(link)
    host = (parts.hostname or "").removesuffix(".")
    name, _, above = host.partition(".")
    segments = [unquote(each) for each in parts.path.split("/") if each]
    if above in HOSTS and name not in NOT_NAMES:
        host, segments = above, [name, *segments]
    elif name == "www":
        host = above
    if host not in HOSTS:
        text = f"{host[:80]!r} is not Telegram's address of messages, which is t.me. {COPY}"
        raise LinkRefused("elsewhere", text)
    if "comment" in parse_qs(parts.query):
        raise _of_a_comment()
    return _of_path(segments)


def locate(pasted: PastedLinks, messages: int) -> Posted:
    """Where a delivery of so many messages lies. Raises `LinkRefused`."""
    links = [message_link(each) for each in pasted.links]
    chats = {each.chat.lower() for each in links}
    if len(chats) > 1:
        text = f"The links lead into different chats: {', '.join(sorted(chats))}. One post is in one chat."
        raise LinkRefused("elsewhere", text)
    ours = "" if pasted.entry is None or pasted.entry.chat is None else pasted.entry.chat
    if _differ(links[0].chat, ours):
        text = (
            f"This link leads into {links[0].chat}, but the channel writes to {ours}. Give its message there."
        )
        raise LinkRefused("elsewhere", text)
    numbers = tuple(sorted({each.message for each in links}))
    if len(numbers) != messages:
        there, known = _counted(messages), _counted(len(numbers))
        raise LinkRefused(
            "number",
            f"This post is {there}, and the links name {known}. Give the link of each, all together: on each photo "
            "or video choose “Copy link”. Without them all it could not be taken back whole.",
        )
    first = min(links, key=lambda each: each.message)
    chat = ours if _same(ours, first.chat) else first.chat
    return Posted(str(RemoteId(chat, numbers)), first.url)


def _of_path(segments: list[str]) -> MessageLink:
    match segments:
        case ["c", chat, *numbers] if CHAT.fullmatch(chat):
            return _message(f"-100{chat}", numbers)
        case ["s", name, *numbers] | [name, *numbers] if _is_name(name):
            return _message(f"@{name}", numbers)
        case _:
            raise _no_message()


def _of_the_app(link: str) -> MessageLink:
    parts = parts_of(link)
    fields = {} if parts is None else {name: values[0] for name, values in parse_qs(parts.query).items()}
    name, chat = fields.get("domain", ""), fields.get("channel", "")
    numbers = [each for each in (fields.get("thread"), fields.get("post")) if each]
    if "comment" in fields:
        raise _of_a_comment()
    match (parts.netloc or parts.path).strip("/").lower() if parts else "":
        case "resolve" if _is_name(name):
            return _message(f"@{name}", numbers)
        case "privatepost" if CHAT.fullmatch(chat):
            return _message(f"-100{chat}", numbers)
        case _:
            raise _no_message()


def _message(chat: str, numbers: list[str]) -> MessageLink:
    """The message in what stands behind the chat: its number, or its thread's and its own."""
    read = [_number(each) for each in numbers]
    if len(read) not in {1, 2} or 0 in read:
        raise LinkRefused("no_post", f"The link names the chat {chat} but no message in it. {COPY}")
    return MessageLink(chat, read[-1], read[0] if len(read) > 1 else None)


def _no_message() -> LinkRefused:
    return LinkRefused("no_post", f"This link of Telegram leads to no message. {COPY}")


def _of_a_comment() -> LinkRefused:
    return LinkRefused("no_post", f"This is the link of a comment below a message. {COPY}")


def _number(text: str) -> int:
    """A message's number; 0 for what is none."""
    number = int(text) if NUMBER.fullmatch(text) else 0
    return number if number <= LARGEST else 0


def _is_name(text: str) -> bool:
    return NAME.fullmatch(text) is not None and text.lower() not in NOT_NAMES


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def _differ(one: str, other: str) -> bool:
    """Whether two names of chats are known to mean different ones: a name and a number may mean the same."""
    return other.startswith(one[0]) and not _same(one, other)


def _counted(messages: int) -> str:
    return "one message" if messages == 1 else f"{messages} messages"
