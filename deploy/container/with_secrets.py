"""A container's entry point: `python -m deploy.container.with_secrets PROGRAM …`, with secrets that are files.

`NAME_FILE=/run/secrets/…` becomes `NAME=<its content>` for this program alone, for the names below; and
`KONULLU_CREDENTIALS_FILE` names a file of `NAME=value` lines, what the campaign file calls `env:NAME`.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

SECRET = ("MONGO_URL", "AWS_SECRET_ACCESS_KEY")
CREDENTIALS = "KONULLU_CREDENTIALS_FILE"
EX_CONFIG = 78
_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_NOTHING_SAID = re.compile(r"\A\s*(?:#|\Z)")


class WrongCredentials(ValueError):
    """A line of the credentials can't be used. The text names the line, never its value."""


def resolved(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with secrets read. Raises `OSError` for a file that can't be, and `WrongCredentials`."""
    named = {name: environment[f"{name}_FILE"] for name in SECRET if f"{name}_FILE" in environment}
    kept = {key: value for key, value in environment.items() if key.removesuffix("_FILE") not in named}
    credentials = kept.pop(CREDENTIALS, None)
    kept |= {name: Path(file).read_text().strip() for name, file in named.items()}
    if credentials is None:
        return kept
    given = _credentials(credentials)
    taken = next((name for name in given if name in kept), None)
    if taken is not None:
        text = (
            f"{credentials}: {taken} has a meaning already; take another name, here and in the campaign file"
        )
        raise WrongCredentials(text)
    return kept | given


def _credentials(file: str) -> dict[str, str]:
    """The lines of a file. Blank ones and those that begin with # say nothing."""
    found: dict[str, str] = {}
    for number, line in enumerate(Path(file).read_text().splitlines(), start=1):
        if _NOTHING_SAID.match(line) is None:
            name, equals, value = line.partition("=")
            if not equals or _NAME.fullmatch(name.strip()) is None:
                text = f"{file}:{number}: write NAME=value, with capital letters, digits and _ in the name"
                raise WrongCredentials(text)
            found[name.strip()] = value.strip()
    return found


def main(command: list[str]) -> NoReturn:
    """Become the program, or end with 78 (EX_CONFIG) naming the file."""
    try:
        environment = resolved(os.environ)
    except OSError as error:
        print(f"a secret can't be read: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(EX_CONFIG)
    except WrongCredentials as error:
        print(error, file=sys.stderr)
        sys.exit(EX_CONFIG)
    os.execvpe(command[0], command, environment)  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main(sys.argv[1:])
