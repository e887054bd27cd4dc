"""The object store of the deployment, started as it says: what each service may do there, and what it can't."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from _pytest.mark import ParameterSet

from deploy.container import secrets, storage
from shared.failures import Unavailable
from shared.storage.media import CLEAN, QUARANTINE, SITE, MediaStore
from tests.support.object_store import StoreProcesses, start_object_store

PREFIXES = (QUARANTINE, CLEAN, SITE)
As = Callable[..., MediaStore]
Deed = Callable[[MediaStore, str], Awaitable[object]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("storage")
    secrets.main(made / "secrets")
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[StoreProcesses]:
    started = start_object_store(folder / "data", folder / "secrets")
    yield started
    started.stop()


@pytest.fixture
def as_service(server: StoreProcesses, folder: Path, monkeypatch: pytest.MonkeyPatch) -> As:
    """The store as a service's own settings open it."""

    def opened(name: str, secret: str | None = None) -> MediaStore:
        monkeypatch.setenv("AWS_ENDPOINT", server.url)
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        monkeypatch.setenv("AWS_REGION", "local")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", name)
        monkeypatch.setenv(
            "AWS_SECRET_ACCESS_KEY", secret or (folder / "secrets" / f"storage_{name}").read_text()
        )
        return MediaStore(f"s3://{storage.BUCKET}")

    return opened


async def placed(as_service: As, path: str) -> str:
    """An object that is there, put by whoever may."""
    owner = next(
        name
        for name, may in storage.MAY.items()
        if storage.WRITE in may.get(f"{path.partition('/')[0]}/", ())
    )
    await as_service(owner).put(path, b"there")
    return path


async def read(store: MediaStore, path: str) -> None:
    assert await store.get(path) == b"there"


async def write(store: MediaStore, path: str) -> None:
    await store.put(path, b"there")


async def write_much(store: MediaStore, path: str) -> None:
    await store.put(path, bytes(11 << 20))


async def remove(store: MediaStore, path: str) -> None:
    await store.delete(path)


async def listed(store: MediaStore, path: str) -> None:
    assert path in await store.list(path.partition("/")[0])


DEEDS: dict[Deed, str] = {
    read: storage.READ,
    write: storage.WRITE,
    write_much: storage.WRITE,
    remove: storage.WRITE,
    listed: storage.LIST,
}


def table(*, allowed: bool) -> list[ParameterSet]:
    return [
        pytest.param(name, deed, prefix, id=f"{name} {deed.__name__} {prefix}")
        for name, may in storage.MAY.items()
        for deed, needs in DEEDS.items()
        for prefix in PREFIXES
        if (needs in may.get(prefix, ())) is allowed
    ]


def test_prefixes_are_those_that_the_services_use() -> None:
    assert (storage.QUARANTINE, storage.CLEAN, storage.SITE) == PREFIXES


@pytest.mark.parametrize(("name", "deed", "prefix"), table(allowed=True))
async def test_a_service_does_there_what_it_needs(as_service: As, name: str, deed: Deed, prefix: str) -> None:
    path = await placed(as_service, f"{prefix}{name}-{deed.__name__}")

    await deed(as_service(name), path)


@pytest.mark.parametrize(("name", "deed", "prefix"), table(allowed=False))
async def test_a_service_can_do_nothing_else_there(
    as_service: As, name: str, deed: Deed, prefix: str
) -> None:
    path = await placed(as_service, f"{prefix}not-{name}-{deed.__name__}")

    with pytest.raises(Unavailable):
        await deed(as_service(name), path)


async def test_the_publisher_shows_what_is_screened(as_service: As) -> None:
    source = await placed(as_service, f"{CLEAN}shown")
    publisher = as_service("publisher")

    await publisher.copy(source, f"{SITE}media/shown.jpg")

    assert await publisher.get(f"{SITE}media/shown.jpg") == b"there"


@pytest.mark.parametrize(
    ("name", "source", "target"),
    [
        ("publisher", QUARANTINE, SITE),
        ("publisher", SITE, CLEAN),
        ("ingest", CLEAN, SITE),
        ("moderation", CLEAN, CLEAN),
    ],
)
async def test_copying_needs_both_rights(as_service: As, name: str, source: str, target: str) -> None:
    path = await placed(as_service, f"{source}copied-{name}")

    with pytest.raises(Unavailable):
        await as_service(name).copy(path, f"{target}stolen-{name}")


async def test_a_wrong_secret_opens_nothing(as_service: As) -> None:
    path = await placed(as_service, f"{CLEAN}locked")

    for name, secret in (("ingest", "0" * 64), ("metrics", "0" * 64), ("konullu", "konullu")):
        with pytest.raises(Unavailable):
            await as_service(name, secret).get(path)


async def test_anybody_reads_the_public_site_and_nothing_else(as_service: As, server: StoreProcesses) -> None:
    page = await placed(as_service, f"{SITE}az/index.html")
    hidden = [await placed(as_service, f"{prefix}hidden") for prefix in (QUARANTINE, CLEAN)]
    bucket = f"{server.url}/{storage.BUCKET}"

    async with httpx.AsyncClient() as stranger:
        assert (await stranger.get(f"{bucket}/{page}")).content == b"there"
        refused = [
            *[await stranger.get(f"{bucket}/{path}") for path in hidden],
            await stranger.get(f"{server.url}/"),
            await stranger.get(f"{bucket}/"),
            await stranger.get(f"{bucket}/", params={"list-type": "2", "prefix": SITE}),
            await stranger.get(f"{bucket}/", params={"policy": ""}),
            await stranger.put(f"{bucket}/{SITE}script.js", content=b"alert()"),
            await stranger.put(f"{bucket}/{page}", content=b"other"),
            await stranger.put(f"{bucket}/", params={"policy": ""}, content=b"{}"),
            await stranger.put(f"{server.url}/another"),
            await stranger.delete(f"{bucket}/{page}"),
            await stranger.post(f"{bucket}/{SITE}big", params={"uploads": ""}),
            await stranger.post(f"{server.url}/", data={"Action": "CreateUser", "UserName": "x"}),
        ]
        several = f"<Delete><Object><Key>{page}</Key></Object></Delete>"  # refused one by one, in an answer of its own
        of_each = await stranger.post(f"{bucket}/", params={"delete": ""}, content=several)

    assert "AccessDenied" in of_each.text
    assert [(each.request.method, each.request.url, each.text) for each in refused if each.is_success] == []
    assert await as_service("publisher").get(page) == b"there"


def test_nothing_but_s3_listens_to_others(server: StoreProcesses) -> None:
    store, door = (each.process for each in (server.store, server.door))
    assert store is not None
    assert door is not None

    inside, outside = listening(store.pid), listening(door.pid)

    assert len(inside) > 4
    assert {address for address, _ in inside} == {"127.0.0.1"}
    assert {port for address, port in outside if address != "127.0.0.1"} == {server.door.port}


def listening(pid: int) -> set[tuple[str, int]]:
    """The addresses (IPv4 dotted, anything of IPv6 as it is) and ports on which a process listens."""
    ours = {
        link.readlink().name.removeprefix("socket:[").removesuffix("]")
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if str(link.readlink()).startswith("socket:")
    }
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_rest = line.split()
            address, _, port = local.partition(":")
            if state == "0A" and line.split()[9] in ours:
                dotted = ".".join(str(byte) for byte in reversed(bytes.fromhex(address)))
                found.add((dotted if table == "tcp" else address, int(port, 16)))
    return found
