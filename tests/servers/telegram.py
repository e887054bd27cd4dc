"""A Bot API server with a public timeline: `python -m tests.servers.telegram --port N --log FILE`.

`GET /timeline` shows what a reader of the chats sees now: the oracle. `POST /faults` scripts what goes wrong next,
`GET /faults` tells what did, `GET /calls` which calls came with which trace. It remembers everything in its log.
"""

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

from aiogram import types

from tests.servers.bot_api import BadRequestError, Call, judge
from tests.servers.faults import Fault, Faults
from tests.servers.journal import Journal
from tests.servers.misbehaving import GO_ON, Misdeeds, command, faults_of
from tests.servers.plain import Incoming, PlainServer, Reply
from tests.servers.running import serve

TOKEN = "42:test-token"
BOT = 42
MARKER = re.compile(r"/r/([0-9a-z]+)")


def chat_number(chat: str) -> int:
    """The id behind a chat's name, the same in every run."""
    return int(chat) if chat.lstrip("-").isdigit() else -(100 * 10**10) - crc32(chat.encode())


def failure(code: int, description: str, **parameters: Any) -> Reply:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    return Reply.of(body | ({"parameters": parameters} if parameters else {}), code)


class TelegramServer:
    """Chats that one bot writes to."""

    def __init__(self, log: Path, *, token: str = TOKEN, faults: Faults | None = None) -> None:
        self.token = token
        self.faults = faults or Faults()
        self.journal = Journal(log)
        self.http = PlainServer(self.answer)
        self.chats: dict[int, str] = {}
        self.unknown_chats: set[str] = set()
        self.migrated: dict[str, int] = {}
        self._shown: dict[tuple[int, int], dict[str, Any]] = {}
        self._last = 0
        for entry in self.journal:
            self._apply(entry)

    def _apply(self, entry: Mapping[str, Any]) -> None:
        match entry["event"]:
            case "shown":
                for message in entry["messages"]:
                    self._shown[entry["chat_id"], message["message_id"]] = {**message, "post": entry["post"]}
                self.chats[entry["chat_id"]] = entry["chat"]
            case "numbered":
                self._last = max(self._last, entry["last"])
            case "deleted":
                self._shown.pop((entry["chat_id"], entry["message_id"]), None)
            case "fault":
                self.faults.injected[entry["kind"]] += 1
            case "call" if not entry["method"].startswith("get"):
                self.faults.calls += 1

    def remember(self, event: str, **facts: Any) -> None:
        self.journal.write(event, **facts)
        if event not in {"fault", "call"}:
            self._apply({"event": event, **facts})

    def timeline(self) -> list[dict[str, Any]]:
        """What is visible now, a post (a message or an album) each, oldest first."""
        posts: dict[str, dict[str, Any]] = {}
        for (chat_id, number), message in sorted(self._shown.items()):
            if message["visible_at"] > time.time():
                continue
            post = posts.setdefault(
                message["post"],
                {
                    "chat": self.chats[chat_id],
                    "chat_id": chat_id,
                    "message_ids": [],
                    "text": "",
                    "entities": [],
                    "media": [],
                },
            )
            post["message_ids"].append(number)
            post["text"] = post["text"] or message["text"]
            post["entities"] = post["entities"] or message["entities"]
            post["media"] += message["media"]
        for post in posts.values():
            found = MARKER.findall(post["text"])
            post["marker"] = found[-1] if found else None
        return list(posts.values())

    async def answer(self, request: Incoming) -> Reply | None:  # noqa: PLR0911 - one line per address
        """Handle one request."""
        match request.path.strip("/").split("/"):
            case ["timeline"]:
                return Reply.of({"posts": self.timeline()})
            case ["faults"] if request.method == "POST":
                return self._script(request)
            case ["faults"]:
                return Reply.of({"injected": dict(self.faults.injected), "calls": self.faults.calls})
            case ["calls"]:
                return Reply.of({"calls": [entry for entry in self.journal if entry["event"] == "call"]})
            case [account, method] if account == f"bot{self.token}":
                return await self._bot(method, request)
            case [account, _] if account.startswith("bot"):
                return failure(401, "Unauthorized")
        return failure(404, "Not Found")

    def _script(self, request: Incoming) -> Reply:
        self.faults.script += [Fault.read(each) for each in json.loads(request.body)["faults"]]
        return Reply.of({"scripted": len(self.faults.script)})

    async def _bot(self, method: str, request: Incoming) -> Reply | None:
        try:
            call = await judge(method, request)
        except BadRequestError as error:
            self.remember("refused", method=method, reason=str(error))
            return failure(400, f"Bad Request: {error}")
        self.remember("call", method=method, traceparent=request.headers.get("traceparent"))
        if method == "getMe":
            me = types.User(id=BOT, is_bot=True, first_name="Test", username="test_bot")
            return Reply.of({"ok": True, "result": _plain(me)})
        fault = self.faults.next(method, changes=not method.startswith("get"))
        if fault is not None:
            self.remember("fault", kind=fault.kind, method=method)
            if (early := await MISDEEDS.before(fault)) is not GO_ON:
                return early
        reply = self._carry_out(method, call, fault)
        if fault is None or reply.status != 200:
            return reply
        return await MISDEEDS.after(fault, reply)

    def _carry_out(self, method: str, call: Call, fault: Fault | None) -> Reply:
        chat = str(call.model.chat_id)
        if chat in self.unknown_chats:
            return failure(400, "Bad Request: chat not found")
        if chat in self.migrated:
            description = "Bad Request: group chat was upgraded to a supergroup chat"
            return failure(400, description, migrate_to_chat_id=self.migrated[chat])
        number = chat_number(chat)
        name = chat if chat.startswith("@") else self.chats.get(number, "")
        match method:
            case "getChat":
                return Reply.of({"ok": True, "result": _plain(_chat(number, name))})
            case "deleteMessage":
                return self._delete(number, call.model.message_id, fault)
            case "sendMessage" | "sendPhoto" | "sendVideo" | "sendMediaGroup":
                return self._show(method, number, name, call, fault)
        return failure(404, "Not Found: method not found")

    def _show(self, method: str, chat_id: int, chat: str, call: Call, fault: Fault | None) -> Reply:
        described = call.model.media[0] if method == "sendMediaGroup" else call.model
        text = (call.model.text if method == "sendMessage" else described.caption) or ""
        entities = call.model.entities if method == "sendMessage" else described.caption_entities
        count = max(1, len(call.files))
        ids = range(self._last + 1, self._last + 1 + count)
        self.remember("numbered", last=ids[-1])
        late = fault.seconds if fault is not None and fault.kind == "late" else 0.0
        messages = [
            {
                "message_id": number,
                "text": text if index == 0 else "",
                "entities": [_plain(entity) for entity in entities or ()] if index == 0 else [],
                "media": [
                    {"sha256": file.sha256, "type": file.type, "bytes": len(file.content)}
                    for file in call.files[index : index + 1]
                ],
                "visible_at": time.time() + late,
            }
            for index, number in enumerate(ids)
        ]
        if fault is None or fault.kind != "lie":
            self.remember("shown", chat_id=chat_id, chat=chat, post=f"{chat_id}/{ids[0]}", messages=messages)
        results = [
            _message(number, chat_id, chat, message) for number, message in zip(ids, messages, strict=True)
        ]
        return Reply.of({"ok": True, "result": results if method == "sendMediaGroup" else results[0]})

    def _delete(self, chat_id: int, message_id: int, fault: Fault | None) -> Reply:
        if (chat_id, message_id) not in self._shown:
            return failure(400, "Bad Request: message to delete not found")
        if fault is not None and fault.kind == "undeletable":
            return failure(400, "Bad Request: message can't be deleted")
        if fault is None or fault.kind != "lie":
            self.remember("deleted", chat_id=chat_id, message_id=message_id)
        return Reply.of({"ok": True, "result": True})

    async def stop(self) -> None:
        await self.http.stop()
        self.journal.close()


MISDEEDS = Misdeeds(
    error=failure(500, "Internal Server Error"),
    limited=lambda seconds: failure(
        429, f"Too Many Requests: retry after {int(seconds)}", retry_after=int(seconds)
    ),
    refused=failure(400, "Bad Request: refused by script"),
    failed=failure(500, "Internal Server Error"),
)


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json", exclude_none=True, exclude_defaults=False)


def _chat(number: int, name: str) -> Any:
    username = name.removeprefix("@") or None
    return types.Chat(
        id=number, type="channel" if number < 0 else "private", title=name or "chat", username=username
    )


def _message(message_id: int, chat_id: int, chat: str, message: Mapping[str, Any]) -> dict[str, Any]:
    field = "caption" if message["media"] else "text"
    made = types.Message(message_id=message_id, date=int(time.time()), chat=_chat(chat_id, chat))
    return {**_plain(made), "date": int(time.time()), **({field: message["text"]} if message["text"] else {})}


def main() -> None:
    parser = command(__doc__)
    parser.add_argument("--token", default=TOKEN)
    parser.set_defaults(late=2.0)
    options = parser.parse_args()
    server = TelegramServer(options.log, token=options.token, faults=faults_of(options))
    serve(server.http, options.port, "telegram", server.stop)


if __name__ == "__main__":
    main()
