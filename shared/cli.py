"""The `konullu` command. Each command finds the running stack by `KONULLU_HOME`."""

import asyncio
import sys
from typing import Annotated, NoReturn

import typer

from shared.settings import SettingsError

app = typer.Typer(
    name="konullu",
    help="The newsroom of a volunteer campaign.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@app.command()
def up() -> None:
    """Start everything on this machine and keep it running until Ctrl-C."""
    from deploy.commands.stack import layout
    from deploy.local.supervisor import Supervisor

    raise typer.Exit(asyncio.run(Supervisor(layout()).run()))


@app.command()
def down() -> None:
    """Stop the running stack."""
    from deploy.commands.stack import Stack

    Stack.find().down()
    print("stopped")


@app.command()
def restart(name: Annotated[str, typer.Argument(help="ingest, moderation, publisher, metrics, …")]) -> None:
    """Restart one process of the running stack; the others go on."""
    from deploy.commands.stack import Stack

    Stack.find().order({"do": "restart", "name": name})
    print(f"{name} is ready again")


@app.command()
def status() -> None:
    """Tell what runs, where, and how often it died."""
    from deploy.commands.stack import Stack

    stack = Stack.find()
    for name, process in stack.order({"do": "status"})["processes"].items():
        died = f"died {process['deaths']} times" if process["deaths"] else ""
        print(f"{name:<11} {process['state']:<9} {process['pid'] or '-':<8} {process['address']:<32} {died}")
    print(f"{'site':<11} {stack.settings.public_url}")


def main() -> NoReturn:
    """Run one command; mistakes end with a sentence and status 1."""
    from deploy.commands.stack import CommandError

    try:
        app()
    except (CommandError, SettingsError) as error:
        print(f"konullu: {error}", file=sys.stderr)
        sys.exit(1)
    sys.exit(0)


if __name__ == "__main__":
    main()
