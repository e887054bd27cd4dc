"""The campaign that is sent at one to one: small here, and ended in the middle."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT, until
from tests.support.supervised import alive


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_campaign_that_is_interrupted_leaves_no_process_and_no_file(tmp_path: Path, number: int) -> None:
    log = tmp_path / "said"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.campaign", "--items", "12"],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def running() -> bool:
        assert process.poll() is None, log.read_text()
        return "ready at" in log.read_text()

    try:
        until(running, seconds=90, what="the campaign's stack")
        (record,) = tmp_path.glob("konullu-campaign-*/stack/.konullu/run.json")
        pids = [pid for pid, _ in json.loads(record.read_text())["children"].values()]
        process.send_signal(number)
        status = process.wait(60)
    finally:
        if process.poll() is None:
            process.kill()

    assert status == 130
    assert not any(alive(pid) for pid in pids)
    assert list(tmp_path.glob("konullu-campaign-*")) == []
