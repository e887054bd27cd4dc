"""The `konullu` command. Each command finds the running stack by `KONULLU_HOME`."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from shared.settings import SettingsError

if TYPE_CHECKING:
    from deploy.cli.dead import DeadLetters

Answer = TypeVar("Answer")

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
    from deploy.cli.stack import layout
    from deploy.supervisor.supervisor import Supervisor

    raise typer.Exit(asyncio.run(Supervisor(layout()).run()))


@app.command()
def down() -> None:
    """Stop the running stack."""
    from deploy.cli.stack import Stack

    Stack.find().down()
    print("stopped")


@app.command()
def restart(name: Annotated[str, typer.Argument(help="ingest, moderation, publisher, metrics, …")]) -> None:
    """Restart one process of the running stack; the others go on."""
    from deploy.cli.stack import Stack

    Stack.find().order({"do": "restart", "name": name})
    print(f"{name} is ready again")


@app.command()
def status() -> None:
    """Tell what runs, where, and how often it died."""
    from deploy.cli.stack import Stack

    stack = Stack.find()
    for name, process in stack.order({"do": "status"})["processes"].items():
        died = f"died {process['deaths']} times" if process["deaths"] else ""
        print(f"{name:<11} {process['state']:<9} {process['pid'] or '-':<8} {process['address']:<32} {died}")
    print(f"{'site':<11} {stack.settings.public_url}")


@app.command(context_settings=PASS_ON)
def staff(context: typer.Context) -> None:
    """Add, list and disable staff, issue their tokens and sign-in links (`konullu staff --help`)."""
    _pass_on("services.ingest.people.cli", context)


@app.command(context_settings=PASS_ON)
def audit(context: typer.Context) -> None:
    """Verify the chain of moderation decisions, export its head (`konullu audit --help`)."""
    _pass_on("services.moderation.audit.cli", context)


@app.command(context_settings=PASS_ON)
def recount(context: typer.Context) -> None:
    """Work all counters out again from the counted events and compare; `--replace` makes the new ones valid."""
    _pass_on("services.metrics.counting.rebuild", context)


def _pass_on(module: str, context: typer.Context) -> NoReturn:
    from deploy.cli.stack import Stack

    raise typer.Exit(Stack.find().run_module(module, *context.args))


@app.command()
def submit(  # noqa: PLR0917 - typer reads options from parameters
    title: Annotated[str, typer.Option(help="One line.")],
    language: Annotated[str, typer.Option(help="BCP 47 tag of the text: az, tr, sr-Latn …")],
    country: Annotated[str, typer.Option(help="ISO 3166-1 code of two letters: AZ, TR …")],
    body: Annotated[str, typer.Option(help="The text.")] = "",
    body_file: Annotated[Path | None, typer.Option(exists=True, help="A file with the text.")] = None,
    photo: Annotated[
        list[str] | None, typer.Option(help="PATH:ALT, what the photo shows. Repeatable.")
    ] = None,
    video: Annotated[
        list[str] | None, typer.Option(help="PATH:ALT, what the video shows. Repeatable.")
    ] = None,
    hashtag: Annotated[list[str] | None, typer.Option(help="Repeatable.")] = None,
    section: Annotated[str | None, typer.Option(help="A section of the campaign.")] = None,
    name: Annotated[str, typer.Option(help="Your name, when you join.")] = "Volunteer",
    credit: Annotated[
        str | None, typer.Option(help="Show this name with it; otherwise it is anonymous.")
    ] = None,
    people: Annotated[str, typer.Option(help="none, adults_agreed, minors_guardian_agreed")] = "none",
    rights: Annotated[str, typer.Option(help="own, licensed, permission")] = "own",
    ai_made: Annotated[bool, typer.Option("--ai-made", help="Made by AI.")] = False,
    ai_edited: Annotated[bool, typer.Option("--ai-edited", help="Edited with AI.")] = False,
    key: Annotated[
        str | None, typer.Option(help="Idempotency key: the same again is one submission.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the receipt as JSON.")] = False,
) -> None:
    """Send a text, photos and videos, joining as a volunteer first where that is new."""
    from deploy.cli.stack import Stack
    from deploy.cli.submit import FileToSend, Sender
    from shared.campaign.model import Campaign

    stack = Stack.find()
    submission = {
        "title": title,
        "body": body_file.read_text(encoding="utf-8") if body_file else body,
        "language": language,
        "country": country,
        "section": section,
        "hashtags": hashtag or [],
        "attribution": {"mode": "name", "text": credit} if credit else {"mode": "anonymous"},
        "consent": {
            "terms_version": Campaign.load(stack.settings.campaign_path).terms_version,
            "people_shown": people,
            "rights": rights,
        },
        "ai": {"made": ai_made, "edited": ai_edited},
    }
    attachments = [FileToSend.parse(each) for each in (photo or []) + (video or [])]
    sender = Sender(stack.settings.ingest_url, stack.settings.public_url, stack.settings.home)
    receipt = sender.send(submission, attachments, name=name, key=key, progress=_bar)
    if as_json:
        print(json.dumps(asdict(receipt)))
        return
    print(f"submission     {receipt.submission_id}")
    print(f"receipt        {receipt.receipt}")
    print(f"status         {receipt.status_url}")
    print(f"recovery code  {receipt.recovery_code}   (keep it: it brings you back on another device)")


def _bar(name: str, size: int) -> Callable[[int], None]:
    """A progress bar on standard error, so that the receipt stays alone on standard output."""
    bar = typer.progressbar(length=size, label=name, file=sys.stderr)
    return bar.update


@app.command()
def channels(
    token: Annotated[str | None, typer.Option(envvar="KONULLU_TOKEN", help="A staff token.")] = None,
) -> None:
    """List the campaign's channels with their health and budget."""
    from deploy.cli.report import channels as listed
    from deploy.cli.stack import Stack

    for line in listed(Stack.find(), token):
        print(line)


@app.command()
def report(
    form: Annotated[str, typer.Option("--format", help="text or json")] = "text",
    by: Annotated[str | None, typer.Option(help="Break reach down: channel,language,country,day …")] = None,
    token: Annotated[str | None, typer.Option(envvar="KONULLU_TOKEN", help="A staff token.")] = None,
) -> None:
    """Print the campaign's totals, each with its source and time."""
    from deploy.cli.report import report as made
    from deploy.cli.stack import Stack

    print(made(Stack.find(), form=form, by=by, token=token))


dead = typer.Typer(help="Messages that could not be handled.", no_args_is_help=True)
app.add_typer(dead, name="dead")
Number = Annotated[int, typer.Argument(metavar="NUMBER", help="From `konullu dead list`.")]


@dead.command("list")
def dead_list() -> None:
    """List those that nobody has dealt with."""
    from deploy.cli.dead import DeadLetters

    for one in _with_dead_letters(DeadLetters.open_messages):
        print(f"{one.sequence:<6} {one.dead_at[:19]}  {one.subject:<34} {one.consumer:<20} {one.reason}")


@dead.command()
def inspect(number: Number) -> None:
    """Show one whole: where it came from, why it is here, its headers and its bytes."""
    one = _with_dead_letters(lambda letters: letters.inspect(number))
    for field in fields(one):
        if field.name not in {"body", "headers"}:
            print(f"{field.name:<11} {getattr(one, field.name)}")
    for header, value in one.headers.items():
        print(f"header      {header}: {value}")
    print(one.body.decode("utf-8", "backslashreplace"))


@dead.command()
def replay(number: Number) -> None:
    """Send it again to where it was, after its cause is mended."""
    one = _with_dead_letters(lambda letters: letters.replay(number))
    print(f"{one.sequence} sent again to {one.subject}")


@dead.command()
def discard(number: Number) -> None:
    """Set it aside for good."""
    one = _with_dead_letters(lambda letters: letters.discard(number))
    print(f"{one.sequence} set aside")


def _with_dead_letters(do: "Callable[[DeadLetters], Awaitable[Answer]]") -> Answer:
    from deploy.cli.dead import DeadLetters, reached
    from deploy.cli.stack import Stack

    async def run() -> Answer:
        link = await reached(Stack.find().settings)
        try:
            return await do(DeadLetters(link))
        finally:
            await link.close()

    return asyncio.run(run())


@app.command()
def doctor() -> None:
    """Look at what this machine needs, and say how to mend what is missing."""
    from deploy.cli.doctor import examine
    from deploy.cli.stack import Stack, layout

    running = Stack.find().record is not None
    findings = list(examine(layout(), running=running))
    for finding in findings:
        print(f"{'✓' if finding.fine else '✗'} {finding.what:<13} {finding.says}")
    raise typer.Exit(0 if all(finding.fine for finding in findings) else 1)


def main() -> NoReturn:
    """Run one command; mistakes end with a sentence and status 1."""
    from deploy.cli.stack import CommandError
    from shared.campaign.model import CampaignError

    try:
        app(prog_name="konullu")
    except (CampaignError, CommandError, SettingsError) as error:
        print(f"konullu: {error}", file=sys.stderr)
        sys.exit(1)
    sys.exit(0)


if __name__ == "__main__":
    main()
