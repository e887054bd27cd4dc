"""The form to become a volunteer. Pure."""

from services.ingest.validation.form_fields import Fields, all_of, one
from services.ingest.validation.rules import Newcomer


def read_newcomer(fields: Fields) -> tuple[Newcomer, str]:
    """Who wants to join, and the language they chose beside the invited ones."""
    other = one(fields, "other_language")
    tags = [*all_of(fields, "languages"), *([other] if other else [])]
    newcomer = Newcomer(
        one(fields, "name"), one(fields, "country"), tuple(tags), one(fields, "section") or None
    )
    return newcomer, other
