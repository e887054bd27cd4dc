"""A container's entry point: `python -m deploy.container.with_secrets PROGRAM …`, with secrets that are files.

`NAME_FILE=/run/secrets/…` becomes `NAME=<its content>` for this program alone, for the names below.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

SECRET = ("NATS_URL", "MONGO_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
EX_CONFIG = 78


def resolved(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with secrets read. Raises `OSError` for a file that can't be."""
    named = {name: environment[f"{name}_FILE"] for name in SECRET if f"{name}_FILE" in environment}
    kept = {key: value for key, value in environment.items() if key.removesuffix("_FILE") not in named}
    return kept | {name: Path(file).read_text().strip() for name, file in named.items()}


def main(command: list[str]) -> NoReturn:
    """Become the program, or end with 78 (EX_CONFIG) naming the file."""
    try:
        environment = resolved(os.environ)
    except OSError as error:
        print(f"a secret can't be read: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(EX_CONFIG)
    os.execvpe(command[0], command, environment)  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main(sys.argv[1:])
