"""Create the streams and consumers: `python -m shared.bus.provision`, once before the services start."""

import asyncio
import sys

from shared.bus.consuming import connection
from shared.bus.rights import PROVISIONER
from shared.bus.streams import Drift, provision
from shared.settings import Settings, SettingsError


async def run(settings: Settings) -> None:
    """Provision the broker that `settings` names. Raises `Drift` when it refuses."""
    link = await connection(settings, name=PROVISIONER, user=PROVISIONER)
    try:
        await provision(link, replicas=settings.stream_replicas, max_bytes=settings.stream_max_bytes)
    finally:
        await link.close()


def main() -> int:
    """Exit 0 when the broker is as the repository says, 78 (EX_CONFIG) when it cannot be made so."""
    try:
        asyncio.run(run(Settings.from_env()))
    except (Drift, SettingsError) as error:
        print(f"provision: {error}", file=sys.stderr)  # noqa: T201 - a command speaks to its user
        return 78
    return 0


if __name__ == "__main__":
    sys.exit(main())
