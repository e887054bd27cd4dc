"""`konullu submit`: join as a volunteer once, upload the files, send the submission, show the receipt."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin
from uuid import uuid4

import httpx

from deploy.cli.calls import CallRefused, answer_of, call, client
from deploy.cli.stack import CommandError
from deploy.cli.uploads import upload

MEMBERSHIP = "volunteer.json"
_UNAUTHORISED = 401


@dataclass(frozen=True)
class FileToSend:
    """A file to upload, and the alternative text that says what it shows."""

    path: Path
    alt: str

    @classmethod
    def parse(cls, given: str) -> FileToSend:
        """From `PATH:ALT`. Raises `CommandError` when there is no such file or no alternative text."""
        for cut, character in enumerate(given):
            if character == ":" and Path(given[:cut]).is_file():
                return cls(Path(given[:cut]), given[cut + 1 :].strip())
        what = "has no alternative text" if Path(given).is_file() else "is no file"
        text = f"{given} {what}; write --photo 'picture.jpg:what the picture shows'"
        raise CommandError(text)


@dataclass(frozen=True)
class SentReceipt:
    submission_id: str
    receipt: str
    status_url: str
    recovery_code: str


@dataclass(frozen=True)
class Sender:
    """A volunteer's end of the conversation with ingest."""

    ingest_url: str
    public_url: str
    home: Path
    """The folder that keeps the membership (0600) between submissions."""

    def send(
        self,
        submission: dict[str, Any],
        attachments: Sequence[FileToSend],
        *,
        name: str,
        key: str | None,
        progress: Callable[[str, int], Callable[[int], None]],
    ) -> SentReceipt:
        """Send it all. Raises `CommandError`; the same `key` again gives the same receipt."""
        member = self._member(name, submission)
        with client(member["token"]) as link:
            media = [
                {
                    "upload_id": upload(
                        link,
                        f"{self.ingest_url}/v1/uploads",
                        each.path,
                        progress(each.path.name, each.path.stat().st_size),
                    ),
                    "alt": each.alt,
                }
                for each in attachments
            ]
            answer = answer_of(
                call(
                    link,
                    "POST",
                    f"{self.ingest_url}/v1/submissions",
                    repeatable=True,
                    body=submission | {"media": media},
                    headers={"Idempotency-Key": key or str(uuid4())},
                )
            )
        return SentReceipt(
            submission_id=answer["submission_id"],
            receipt=answer["receipt"],
            status_url=urljoin(f"{self.public_url}/", answer["status_url"]),
            recovery_code=member["recovery_code"],
        )

    def _member(self, name: str, submission: dict[str, Any]) -> dict[str, str]:
        kept = self.home / MEMBERSHIP
        with client() as link:
            if kept.is_file():
                member: dict[str, str] = json.loads(kept.read_text())
                return member if self._is_valid(member) else self._recovered(link, kept, member)
            newcomer = {"name": name, "country": submission["country"], "languages": [submission["language"]]}
            member = answer_of(call(link, "POST", f"{self.ingest_url}/v1/volunteers", body=newcomer))
        return _keep(kept, member)

    def _is_valid(self, member: dict[str, str]) -> bool:
        """A token that is accepted finds no such submission; one that isn't is refused before anybody looks."""
        with client(member["token"]) as link:
            try:
                call(link, "GET", f"{self.ingest_url}/v1/submissions/{uuid4()}", repeatable=True)
            except CallRefused as refusal:
                return refusal.status != _UNAUTHORISED
        return True

    def _recovered(self, link: httpx.Client, kept: Path, member: dict[str, str]) -> dict[str, str]:
        body = {"recovery_code": member["recovery_code"]}
        fresh = answer_of(call(link, "POST", f"{self.ingest_url}/v1/recovery", body=body))
        return _keep(kept, member | fresh)


def _keep(kept: Path, member: dict[str, str]) -> dict[str, str]:
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = kept.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(member))
    fresh.replace(kept)
    return member
