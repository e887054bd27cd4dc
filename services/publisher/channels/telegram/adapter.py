"""Telegram through the Bot API: one call per delivery, text styled by entities, files streamed.

The Bot API has no way to ask what was posted, no idempotency key and no views. So a commit of unknown outcome
goes to a person, nothing is read back, and no figure is ever given. Deleting twice is its only way to look:
the second answer must be that there is nothing to delete.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pydantic import SecretStr

from services.publisher.channels.http_client import (
    CONFLICT,
    TOO_MANY,
    Wire,
    WireAnswer,
    retry_after,
    within_reason,
)
from services.publisher.channels.multipart import FilePart, Multipart
from services.publisher.channels.port import (
    Absent,
    Capabilities,
    ChannelHealth,
    NotSent,
    Outcome,
    Post,
    Posted,
    Preparation,
    Prepared,
    Rejected,
    Removed,
    Residue,
    Sample,
    Unknown,
)
from services.publisher.channels.telegram.links import RemoteId
from services.publisher.channels.telegram.message import (
    ALBUM,
    CALLS_PER_SECOND,
    CAPTION_UNITS,
    TEXT_UNITS,
    VIDEO_BYTES,
    BotCall,
    TelegramUpload,
    call_for,
    messages_of,
)
from shared.failures import Unavailable
from shared.storage.media import CLEAN, MediaStore, StorageFull

OFFICIAL = "https://api.telegram.org"
CAPABILITIES = Capabilities(
    lookup=False,
    idempotent=False,
    read_back=False,
    remove=True,
    sample=False,
    text_units=TEXT_UNITS,
    media_text_units=CAPTION_UNITS,
    max_media=ALBUM,
    rate_per_second=CALLS_PER_SECOND,
)
BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_LARGE = 400, 401, 403, 404, 413
_OF_THE_ACCOUNT = frozenset({UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT})
_CHAT_TROUBLE = (
    "chat not found",
    "have no rights",
    "not enough rights",
    "need administrator rights",
    "chat_write_forbidden",
)
_GONE = ("message to delete not found", "message_id_invalid")
_LOOKS = 2
"""Deletions asked for before a chat that always says yes is no longer believed."""


@dataclass(frozen=True, slots=True)
class TelegramRefusal:
    """A documented error of the Bot API."""

    code: int
    description: str
    retry_after: float | None
    migrated_to: str | None


class Telegram:
    """One chat that the campaign's bot may write to."""

    kind = "telegram"

    def __init__(
        self,
        channel_id: str,
        *,
        chat: str,
        token: SecretStr,
        media: MediaStore,
        base_url: str = OFFICIAL,
        video_bytes: int = VIDEO_BYTES,
        calls_per_second: float = CALLS_PER_SECOND,
        in_flight: int = CAPABILITIES.in_flight,
        wire: Wire | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.id = channel_id
        self.capabilities = replace(CAPABILITIES, rate_per_second=calls_per_second, in_flight=in_flight)
        self._chat = chat
        self._media = media
        self._address = f"{base_url}/bot{token.get_secret_value()}"
        self._video_bytes = video_bytes
        self._wire = wire or Wire(channel_id, secrets=(token.get_secret_value(),))
        self._now = now

    async def prepare(self, post: Post, so_far: Prepared) -> Preparation:  # noqa: ARG002 - one step
        """Nothing can be uploaded beforehand; but what is to be uploaded must be there."""
        for upload in self._call(post).uploads:
            try:
                size = await self._media.size(f"{CLEAN}{upload.media.sha256}")
            except (Unavailable, StorageFull) as error:
                return NotSent("media_unavailable", str(error))
            if size != upload.media.bytes:
                return NotSent(
                    "media_unavailable", f"{upload.media.sha256[:12]} is not in the media store as approved"
                )
        return {}

    async def commit(self, post: Post, prepared: Prepared) -> Outcome:  # noqa: ARG002 - nothing is prepared
        """The one call that shows it."""
        answer = await self._invoke(self._call(post))
        match answer:
            case NotSent() | Unknown():
                return answer
            case TelegramRefusal():
                return self._refused(answer)
        return self._posted(answer)

    async def reconcile(self, post: Post, prepared: Prepared) -> Posted | Absent | Unknown:  # noqa: ARG002
        """Telegram has no lookup."""
        return Unknown(
            "no_lookup", "Telegram cannot be asked what was posted; somebody has to look into the chat."
        )

    async def read_back(self, post: Post, remote_id: str) -> Posted | Absent | Unknown:  # noqa: ARG002
        """Telegram has no way to read a message again."""
        return Unknown("no_read_back", "Telegram cannot be asked for a message.")

    async def remove(self, post: Post, remote_id: str) -> Removed | Residue | NotSent | Unknown:
        """Delete every message of it, and delete again to see that nothing is left."""
        where = RemoteId.parse(remote_id)
        if where is None:
            return Residue("Nobody told which message it is; somebody has to delete it in the chat.")
        for message in where.messages:
            if (trouble := await self._delete(where, message)) is not None:
                return trouble
        whole = messages_of(post.snapshot, self._video_bytes)
        if _is_link(remote_id) and len(where.messages) < whole:
            return Residue(
                f"{where} is gone, but it is one of {whole} messages, and nobody told which the others are; "
                "somebody has to delete them in the chat."
            )
        return Removed(f"deleteMessage for {where} answered that there is nothing to delete")

    async def sample(self, post: Post, remote_id: str) -> Sequence[Sample]:  # noqa: ARG002
        """The Bot API knows no views, so there is no figure."""
        return ()

    async def health(self) -> ChannelHealth:
        """Whether the token is good and the chat is known."""
        for method, fields in (("getMe", {}), ("getChat", {"chat_id": self._chat})):
            answer = await self._invoke(BotCall(method, fields))
            if isinstance(answer, TelegramRefusal):
                return ChannelHealth(ok=False, detail=f"{method}: {answer.description}")
            if isinstance(answer, NotSent | Unknown):
                return ChannelHealth(ok=False, detail=answer.detail)
        return ChannelHealth(ok=True, facts={"chat": self._chat})

    async def close(self) -> None:
        """Let go of the connection."""
        await self._wire.close()

    def _call(self, post: Post) -> BotCall:
        return call_for(post, self._chat, video_bytes=self._video_bytes)

    async def _delete(self, where: RemoteId, message: int) -> Residue | NotSent | Unknown | None:
        """`None` once Telegram says that the message is not there."""
        for _ in range(_LOOKS + 1):
            answer = await self._invoke(
                BotCall("deleteMessage", {"chat_id": where.chat, "message_id": message})
            )
            if isinstance(answer, NotSent | Unknown):
                return answer
            if isinstance(answer, TelegramRefusal):
                if any(sign in answer.description.lower() for sign in _GONE):
                    return None
                if answer.code == TOO_MANY:
                    return NotSent("rate_limited", answer.description, answer.retry_after)
                return Residue(
                    f"{where.chat}/{message}: {answer.description}; somebody has to delete it in the chat."
                )
        return Unknown("still_there", f"{where.chat}/{message}: Telegram says it deletes it, again and again")

    async def _invoke(self, call: BotCall) -> Any | TelegramRefusal | NotSent | Unknown:
        """The `result` of a Bot API call, or what went wrong."""
        url = f"{self._address}/{call.method}"
        if call.uploads:
            body = Multipart(call.form(), [self._part(upload) for upload in call.uploads], uuid4().hex)
            answer = await self._wire.send(
                "POST", url, call=call.method, kind="upload", headers=body.headers, content=body
            )
        else:
            answer = await self._wire.send(
                "POST",
                url,
                call=call.method,
                kind="look" if call.method.startswith("get") else "change",
                headers={"content-type": "application/json"},
                content=json.dumps(call.fields, ensure_ascii=False).encode(),
            )
        return self._result(answer) if isinstance(answer, WireAnswer) else answer

    def _part(self, upload: TelegramUpload) -> FilePart:
        media = upload.media
        extension = media.type.rpartition("/")[2].replace("jpeg", "jpg")

        def content() -> AsyncIterator[bytes]:
            return self._media.stream(f"{CLEAN}{media.sha256}")

        return FilePart(upload.name, f"{media.sha256[:16]}.{extension}", media.type, media.bytes, content)

    def _result(self, answer: WireAnswer) -> Any | TelegramRefusal | Unknown:
        body = answer.json()
        if answer.ambiguous:
            return Unknown(f"http_{answer.status}", f"Telegram answered {answer.status}")
        if answer.ok and isinstance(body, Mapping) and body.get("ok") is True and body.get("result"):
            return body["result"]
        if answer.ok:
            return Unknown("unreadable", "Telegram answered 200 with something that is no result")
        known = body if isinstance(body, Mapping) else {}
        parameters = known.get("parameters") if isinstance(known.get("parameters"), Mapping) else {}
        asked = parameters.get("retry_after") if parameters else None
        migrated = parameters.get("migrate_to_chat_id") if parameters else None
        return TelegramRefusal(
            code=answer.status,
            description=self._wire.scrub(str(known.get("description") or f"HTTP {answer.status}")),
            retry_after=retry_after(answer.headers, self._now())
            if (seconds := within_reason(asked)) is None
            else seconds,
            migrated_to=None if migrated is None else str(migrated),
        )

    @staticmethod
    def _refused(refusal: TelegramRefusal) -> Rejected | NotSent:
        if refusal.code == TOO_MANY:
            return NotSent("rate_limited", refusal.description, refusal.retry_after)
        if refusal.migrated_to is not None:
            detail = (
                f'The group became a supergroup: write chat: "{refusal.migrated_to}" into the campaign file.'
            )
            return Rejected("chat_migrated", detail, "channel")
        words = refusal.description.lower()
        account = refusal.code in _OF_THE_ACCOUNT or any(sign in words for sign in _CHAT_TROUBLE)
        return Rejected(f"telegram_{refusal.code}", refusal.description, "channel" if account else "post")

    @staticmethod
    def _posted(result: Any) -> Posted | Unknown:
        messages = result if isinstance(result, list) else [result]
        try:
            ids = tuple(int(message["message_id"]) for message in messages)
            chat = messages[0]["chat"]
            where, name = str(int(chat["id"])), chat.get("username")
        except (KeyError, TypeError, ValueError, IndexError, OverflowError):
            return Unknown("unreadable", "Telegram answered 200 without saying which message it made")
        url = f"https://t.me/{name}/{ids[0]}" if name else None
        if name is None and where.startswith("-100"):
            url = f"https://t.me/c/{where.removeprefix('-100')}/{ids[0]}"
        return Posted(str(RemoteId(where, ids)), url)


def _is_link(remote_id: str) -> bool:
    """Whether it is a link as somebody pasted it, of which it was not asked yet whether it names every message."""
    return "://" in remote_id
