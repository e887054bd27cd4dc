"""Bodies of ingest's API: a field that is not there is named, with the one that was meant."""

import json

import pytest
from pydantic import ValidationError

from services.ingest.people.schemas import RecoveryBody


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"recovery_cod": "x"}', "there is no field recovery_cod; did you mean recovery_code?"),
        ('{"\\ud800": "x"}', "there is no field ?; known here: recovery_code"),
        (json.dumps({"n" * 1000: "x"}), f"there is no field {'n' * 60}; known here: recovery_code"),
    ],
)
def test_an_unknown_field_is_named(body: str, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RecoveryBody.model_validate(json.loads(body))

    assert caught.value.errors()[0]["msg"] == says
