import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[4]


def test_make_alone_lists_every_target() -> None:
    targets = {
        line.split(":")[0]
        for line in (ROOT / "Makefile").read_text().splitlines()
        if ": " in line and " ## " in line and not line.startswith("\t")
    }

    listing = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert targets == {line.split()[1] for line in listing.splitlines()}
    assert targets == {
        *("up", "down", "test", "drill", "cover", "check", "format", "demo"),
        *("campaign", "bench", "shots", "lock", "secrets", "sbom", "audit", "help"),
    }


def test_lock_files_name_no_host_and_hash_everything() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        pinned = [line for line in text.splitlines() if "==" in line]
        assert "://" not in text
        assert "--index" not in text
        assert pinned
        assert all(line.endswith("\\") for line in pinned)


def test_the_oldest_python_is_told_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert project["project"]["requires-python"] == ">=3.11"
    assert project["tool"]["ruff"]["target-version"] == "py311"
    assert project["tool"]["mypy"]["python_version"] == "3.11"
    assert sys.version_info >= (3, 11)
