"""The users' seeds are their own, and the brokers learn public keys alone."""

import re
from pathlib import Path

from deploy.nats import users
from shared.bus.rights import USERS, rights_of


def test_every_user_has_a_key_that_is_made_once_and_read_by_nobody_else(tmp_path: Path) -> None:
    folder = tmp_path / "keys" / "broker"
    first = users.public_keys(folder)

    assert users.public_keys(folder) == first
    assert first.keys() == set(USERS)
    assert len(set(first.values())) == len(USERS)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_brokers_configuration_holds_no_seed(tmp_path: Path) -> None:
    text = users.configuration(users.public_keys(tmp_path))

    for user in USERS:
        assert users.seed_file(tmp_path, user).read_text() not in text
    assert len(re.findall(r"nkey: U[A-Z2-7]{55}\b", text)) == len(USERS)


def test_each_user_is_given_exactly_its_rights(tmp_path: Path) -> None:
    text = users.configuration(users.public_keys(tmp_path))

    for user in USERS:
        [block] = re.findall(rf"# {user}\n(.*?)    }}}}", text, re.DOTALL)
        publish, subscribe = (re.findall(r'"([^"]+)"', part) for part in block.split("subscribe:"))
        assert (tuple(publish), tuple(subscribe)) == (rights_of(user).publish, rights_of(user).subscribe)
