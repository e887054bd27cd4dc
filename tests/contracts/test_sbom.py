"""`make sbom` lists every package that is shipped, as it is pinned."""

import json
import re
import subprocess
from pathlib import Path

from tests.support.processes import BIN, ROOT


def test_the_list_of_components_has_every_pinned_package_with_its_hashes(tmp_path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    recipe = re.search(r"^sbom:.*\n\t@(?P<command>.*)$", makefile, re.MULTILINE)
    assert recipe is not None
    command = recipe["command"].replace("$(BIN)", str(BIN)).replace("sbom.json", str(tmp_path / "sbom.json"))
    pinned = dict(
        re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    )

    subprocess.run(command.split(), cwd=ROOT, check=True, capture_output=True, timeout=120)

    made = json.loads((tmp_path / "sbom.json").read_text())
    assert made["bomFormat"] == "CycloneDX"
    assert {each["name"].lower(): each["version"] for each in made["components"]} == pinned
    for each in made["components"]:
        assert each["purl"].startswith("pkg:pypi/")
        assert [reference for reference in each["externalReferences"] if reference.get("hashes")], each[
            "name"
        ]
