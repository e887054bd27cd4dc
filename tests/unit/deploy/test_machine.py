import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NEEDY = "import pytest\n\n@pytest.mark.promtool\ndef test_needs_it():\n    pass\n"


@pytest.mark.parametrize(("ci", "status"), [("true", 1), ("", 0)])
def test_what_is_missing_is_named_and_only_ci_insists(tmp_path: Path, ci: str, status: int) -> None:
    (tmp_path / "test_needy.py").write_text(NEEDY)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.support.machine",
        "-c",
        os.devnull,
        "-rs",
        str(tmp_path),
    ]

    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PATH": "/nowhere", "CI": ci, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == status, done.stdout
    assert "promtool is missing: apt-get install prometheus" in done.stdout
