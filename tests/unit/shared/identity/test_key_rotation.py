"""Keys change; what they signed before is believed until the campaign forgets them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.http.problems import Problem
from shared.identity.key_rotation import believed, forget, main, rotate
from shared.identity.tokens import Issuer, OwnKeys, Principal, jwks, key_id, public_keys, signing_key, verify

LEYLA = Principal("p1", "volunteer")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys/tokens.pem"


def token(path: Path) -> str:
    return Issuer(signing_key(path)).issue(LEYLA, now=datetime.now(UTC))


async def test_tokens_of_a_former_key_are_good_beside_those_of_the_new_one(path: Path) -> None:
    before = token(path)

    rotate(path)
    rotate(path)

    keys = OwnKeys(*believed(path))
    for each in (before, token(path)):
        assert (await verify(each, keys)).principal == LEYLA


async def test_tokens_of_a_forgotten_key_are_refused(path: Path) -> None:
    before = token(path)
    rotate(path)

    forget(path)

    with pytest.raises(Problem, match="token_invalid"):
        await verify(before, OwnKeys(*believed(path)))


def test_the_new_key_signs_and_the_old_one_cannot_any_more(path: Path) -> None:
    old = signing_key(path)

    new = rotate(path)

    assert key_id(signing_key(path).public_key()) == new != key_id(old.public_key())
    (former,) = path.with_suffix(".former").iterdir()
    assert b"PRIVATE" not in former.read_bytes()
    assert path.stat().st_mode & 0o077 == 0


def test_other_services_are_told_of_all_of_them(path: Path) -> None:
    first = key_id(signing_key(path).public_key())
    second = rotate(path)

    assert list(public_keys(jwks(*believed(path)))) == [second, first]


def test_a_rotation_that_was_killed_is_done_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = key_id(signing_key(path).public_key())
    with monkeypatch.context() as killed:
        killed.setattr(Path, "unlink", _die)
        with pytest.raises(KeyboardInterrupt):
            rotate(path)

    rotate(path)

    assert [key_id(key) for key in believed(path)][1:] == [old]


def _die(_path: Path, *, missing_ok: bool = False) -> None:
    raise KeyboardInterrupt(missing_ok)


def test_the_command_says_what_to_do_next(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    signing_key(path)

    assert main(["rotate", str(path)]) == 0
    assert "start the service again" in capsys.readouterr().out
    assert main(["forget", str(path)]) == 0
    assert main(["rotate", f"{path}.no"]) == 64
    assert "there is no key" in capsys.readouterr().err
