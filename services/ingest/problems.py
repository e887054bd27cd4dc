"""The answer to a form or body with mistakes."""

from services.ingest import telemetry
from services.ingest.validation.rules import FormRefused
from shared.http.problems import Problem


def invalid(refused: FormRefused, code: str = "submission_invalid") -> Problem:
    """The refusal of a form: the first mistake in the sentence, all of them below."""
    first = refused.mistakes[0]
    more = f" ({len(refused.mistakes) - 1} more below)" if len(refused.mistakes) > 1 else ""
    telemetry.submission_refused(code)
    return Problem(
        422,
        code,
        f"{first.sentence}{more}. Nothing was stored.",
        errors=[{"field": each.field, "given": each.given, "message": each.fix} for each in refused.mistakes],
    )
