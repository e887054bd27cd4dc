"""A worker that says far more than anybody wants to hear."""

import sys


def main(_arguments: list[str]) -> int:
    for _ in range(4096):
        sys.stdout.write("x" * 4096)
    return 0
