"""`python -m services.ingest.people.cli`: add, list and disable staff, issue their tokens and sign-in links.

Writes to ingest's database as its owner; the events wait in the outbox for the running ingest to publish them. Only
tokens, links and lists go to standard output.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeVar

import typer

from services.ingest import telemetry
from services.ingest.people.store import People, Person
from services.ingest.settings import IngestSettings
from services.ingest.validation import fields
from shared.campaign.model import Campaign, CampaignError
from shared.events import Scopes
from shared.identity.tokens import Issuer, signing_key
from shared.observability.logs import configure
from shared.settings import SettingsError
from shared.storage.command import DatabaseRefused, database_of

StaffRole = Literal["coordinator", "moderator", "editor", "operator", "admin"]
Id = Annotated[str, typer.Argument(help="As `list` shows it.")]
Answer = TypeVar("Answer")

FIRST_NAME = "First administrator"

app = typer.Typer(
    name="staff", help="Staff of the campaign.", no_args_is_help=True, pretty_exceptions_enable=False
)


class CommandRefused(Exception):
    """What was asked for cannot be done. The text says why and how to mend it."""


@app.command()
def add(
    role: Annotated[StaffRole, typer.Option(help="What they may do.")],
    name: Annotated[str, typer.Option(help="Kept in ingest alone.")],
    languages: Annotated[str, typer.Option(help="BCP 47 tags, by commas. None: all.")] = "",
    countries: Annotated[str, typer.Option(help="ISO 3166-1 codes, by commas. None: all.")] = "",
    sections: Annotated[str, typer.Option(help="The campaign's ids, by commas. None: all.")] = "",
) -> None:
    """Add a staff member and print their token."""

    async def work(people: People, settings: IngestSettings, now: datetime) -> str:
        shown_name = _one("name", lambda: fields.line(name, fields.LONGEST_NAME))
        scopes = _scopes(settings, languages, countries, sections)
        person = await people.add_staff(role, shown_name, scopes, now)
        telemetry.staff_changed(person.person_id, "added", role)
        return _token(settings, person, now)

    typer.echo(_run(work))


@app.command("list")
def list_() -> None:
    """List everybody on the staff: id, role, whether active, scopes, name."""

    async def work(people: People, _settings: IngestSettings, _now: datetime) -> list[Person]:
        return await people.staff()

    for person in _run(work):
        scopes = " ".join(
            f"{kind}={','.join(values)}" for kind, values in person.scopes.model_dump().items() if values
        )
        state = "active" if person.active else "disabled"
        typer.echo(f"{person.person_id}  {person.role:<11} {state:<8} {scopes or 'all'}  {person.name}")


@app.command()
def disable(person_id: Id) -> None:
    """Refuse somebody's tokens and links from now on."""

    async def work(people: People, _settings: IngestSettings, now: datetime) -> None:
        person = await people.disable(await _known(people, person_id), now)
        telemetry.staff_changed(person_id, "disabled", person.role)

    _run(work)


@app.command()
def token(person_id: Id) -> None:
    """Print a new token; earlier ones are refused from now on."""

    async def work(people: People, settings: IngestSettings, now: datetime) -> str:
        person = await people.renew(await _known(people, person_id, active=True), now)
        telemetry.staff_changed(person_id, "token", person.role)
        return _token(settings, person, now)

    typer.echo(_run(work))


@app.command()
def link(
    person_id: Annotated[str, typer.Argument(help="As `list` shows it.")] = "",
    first: Annotated[  # noqa: FBT002 - an option of the command
        bool, typer.Option("--first", help="As `bootstrap`.")
    ] = False,
) -> None:
    """Print a link that signs somebody in once."""

    async def work(people: People, settings: IngestSettings, now: datetime) -> str:
        if first:
            return await _bootstrap(people, settings, now)
        return await _link(people, settings, await _known(people, person_id, active=True), now)

    if said := _run(work):
        typer.echo(said)


@app.command()
def bootstrap() -> None:
    """Make the first administrator and print a link that signs them in; nothing once one has signed in."""
    link(first=True)


async def _bootstrap(people: People, settings: IngestSettings, now: datetime) -> str:
    admins = [person for person in await people.staff() if person.role == "admin" and person.active]
    waiting = [person for person in admins if person.name == FIRST_NAME and person.signed_in_at is None]
    if len(admins) > len(waiting):
        return ""
    person = waiting[0] if waiting else await people.add_staff("admin", FIRST_NAME, Scopes(), now)
    return await _link(people, settings, person.person_id, now)


async def _link(people: People, settings: IngestSettings, person_id: str, now: datetime) -> str:
    secret = await people.add_link(person_id, now, settings.link_life)
    return f"{settings.public_url}/sign-in?link={secret}"


def _token(settings: IngestSettings, person: Person, now: datetime) -> str:
    return Issuer(signing_key(settings.token_key)).issue(person.principal(), now=now)


async def _known(people: People, person_id: str, *, active: bool = False) -> str:
    known = {person.person_id: person for person in await people.staff()}
    if person_id not in known:
        raise CommandRefused(f"nobody on the staff has the id {person_id!r}; `staff list` shows them all")
    if active and not known[person_id].active:
        raise CommandRefused(f"{person_id} is disabled; add them again under a new id")
    return person_id


def _scopes(settings: IngestSettings, languages: str, countries: str, sections: str) -> Scopes:
    campaign_sections = frozenset[str]()
    if sections:
        campaign_sections = frozenset(
            section.id for section in Campaign.load(settings.campaign_path).sections
        )
    return Scopes(
        languages=_each("languages", languages, fields.language_tag),
        countries=_each("countries", countries, lambda given: fields.country_code(given, frozenset())),
        sections=_each("sections", sections, lambda given: fields.section_id(given, campaign_sections)),
    )


def _each(option: str, given: str, rule: Callable[[str], str]) -> tuple[str, ...]:
    parts = [part.strip() for part in given.split(",") if part.strip()]
    return tuple(dict.fromkeys(_one(option, lambda part=part: rule(part)) for part in parts))  # type: ignore[misc]


def _one(option: str, rule: Callable[[], str]) -> str:
    try:
        return rule()
    except fields.Wrong as wrong:
        raise CommandRefused(f"--{option}: {wrong}") from None


def _run(work: Callable[[People, IngestSettings, datetime], Awaitable[Answer]]) -> Answer:
    """Do the work against the running database. Ends the process with a sentence when that is not possible."""

    async def connected(settings: IngestSettings) -> Answer:
        async with database_of(settings, app="konullu-staff") as client:
            people = People(client[f"{settings.database_prefix}ingest"]["people"], left_over=True)
            return await work(people, settings, datetime.now(UTC))

    configure("staff", "warning")
    try:
        return asyncio.run(connected(IngestSettings.from_env()))
    except (CampaignError, CommandRefused, DatabaseRefused, SettingsError) as error:
        raise SystemExit(f"staff: {error}") from None


if __name__ == "__main__":
    sys.exit(app())
