import subprocess
import sys

import pytest

from shared.runtime.lean import KEPT_OUT
from tests.support.stack import SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_loads_nothing_that_is_installed_for_others(service: str) -> None:
    look = f"import sys, services.{service}.__main__; print(*(n for n, m in sys.modules.items() if m is not None))"

    loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout

    assert f"services.{service}.app" in loaded.split()
    assert set(KEPT_OUT).isdisjoint(loaded.split())
