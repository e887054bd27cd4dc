"""The `konullu` command against a whole running stack, as people in a terminal use it."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.support.supervised import Supervised

SUBMISSION = ("--language", "az", "--country", "AZ", "--name", "Leyla")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    made = Supervised(tmp_path_factory.mktemp("commands") / "home")
    try:
        yield made.up()
    finally:
        made.end()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "şəkil.jpg"
    Image.effect_noise((2400, 1800), 90).convert("RGB").save(path, quality=98)
    return path


def test_up_prints_a_link_that_signs_the_first_administrator_in_once(stack: Supervised) -> None:
    link = next(word for word in stack.said().split() if "/sign-in?" in word)

    assert link.startswith(f"http://localhost:{stack.base}/")
    assert httpx.get(link.replace("localhost", "127.0.0.1")).status_code == httpx.codes.OK


def test_a_submission_with_a_photo_is_receipted_and_looked_up(stack: Supervised, photo: Path) -> None:
    said = stack.konullu(
        "submit", "--title", "Novruz", "--body", "Səməni", "--photo", f"{photo}:Xonça", "--json", *SUBMISSION
    )

    assert said.returncode == 0, said.stderr
    receipt = json.loads(said.stdout)
    member = json.loads((stack.home / "volunteer.json").read_text())
    url = f"http://127.0.0.1:{stack.base + 1}/v1/submissions/{receipt['submission_id']}"
    ledger = httpx.get(url, headers={"Authorization": f"Bearer {member['token']}"}).json()
    assert ledger["submission_id"] == receipt["submission_id"]
    assert receipt["recovery_code"] == member["recovery_code"]
    assert (stack.home / "volunteer.json").stat().st_mode & 0o077 == 0


def test_the_same_key_gives_the_same_receipt(stack: Supervised) -> None:
    said = [
        stack.konullu("submit", "--title", "Bir", "--body", "x", "--key", "k-1", "--json", *SUBMISSION).stdout
        for _ in range(2)
    ]

    assert said[0] == said[1] != ""


def test_a_member_whose_token_is_refused_comes_back_with_the_code(stack: Supervised) -> None:
    stack.konullu("submit", "--title", "Əvvəl", "--body", "x", *SUBMISSION)
    kept = stack.home / "volunteer.json"
    member = json.loads(kept.read_text())
    kept.write_text(json.dumps(member | {"token": "forged"}))

    said = stack.konullu("submit", "--title", "Sonra", "--body", "x", *SUBMISSION)

    assert said.returncode == 0, said.stderr
    renewed = json.loads(kept.read_text())
    assert renewed["volunteer_id"] == member["volunteer_id"]
    assert renewed["recovery_code"] != member["recovery_code"]


def test_a_refusal_says_how_to_mend_it(stack: Supervised) -> None:
    said = stack.konullu("submit", "--title", "x", "--body", "x", "--language", "xx-nope", "--country", "AZ")

    assert said.returncode == 1
    assert said.stdout == ""
    assert "BCP 47" in said.stderr


def test_staff_add_prints_a_token_and_nothing_else(stack: Supervised) -> None:
    said = stack.konullu("staff", "add", "--role", "moderator", "--name", "Leyla", "--languages", "az,en")

    assert said.returncode == 0, said.stderr
    (token,) = said.stdout.split()
    assert token.count(".") == 2
    assert "Leyla" in stack.konullu("staff", "list").stdout


def test_the_report_is_what_metrics_says(stack: Supervised) -> None:
    said = json.loads(stack.konullu("report", "--format", "json").stdout)

    assert said.keys() == httpx.get(f"http://127.0.0.1:{stack.base + 4}/v1/campaign").json().keys()
    assert "submissions" in stack.konullu("report").stdout


def test_channels_are_listed_for_whoever_holds_the_home(stack: Supervised) -> None:
    said = stack.konullu("channels")

    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("site ")
    assert stack.konullu("channels").stdout.startswith("site ")


def test_nothing_is_dead_and_the_record_is_whole(stack: Supervised) -> None:
    assert stack.konullu("dead", "list").stdout == ""
    assert stack.konullu("audit", "verify").returncode == 0
    assert stack.konullu("doctor").returncode == 0


def test_without_a_stack_commands_say_so(tmp_path: Path) -> None:
    nowhere = Supervised(tmp_path / "empty")

    said = nowhere.konullu("status")

    assert said.returncode == 1
    assert "make up" in said.stderr
