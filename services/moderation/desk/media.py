"""Photos and videos for those who may see the case."""

from dataclasses import dataclass

from fastapi import Response

from services.moderation.cases.store import Cases
from services.moderation.desk.service import sees
from shared.http.problems import Problem
from shared.identity.tokens import Principal
from shared.storage.media import MediaStore
from shared.web.media import clean_media


@dataclass(frozen=True, slots=True)
class Photos:
    """Gives out clean media."""

    cases: Cases
    store: MediaStore

    async def answer(self, sha256: str, principal: Principal, range_header: str | None) -> Response:
        """The media, or the part of it. Raises 404 for what is in no case that this person may see."""
        for case in await self.cases.with_media(sha256):
            moderates = principal.has("moderator") and sees(principal, case)
            if not moderates and case.standing.author_id != principal.person_id:
                continue
            for media in (*case.standing.content.media, *case.sent.media):
                if media.sha256 == sha256:
                    return await clean_media(self.store, media, range_header)
        raise Problem(404, "not_found", "There is no such photo or video in a case that you may see.")
