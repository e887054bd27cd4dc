"""`konullu up` with real engines and a real gateway, and services that only say they are ready."""

import asyncio
import sys
from dataclasses import replace

from deploy.cli.stack import layout
from deploy.supervisor.layout import Layout
from deploy.supervisor.programs import Composition, composition
from deploy.supervisor.supervisor import Supervisor


def toys(of: Layout) -> Composition:
    whole = composition(of)
    services = [
        replace(each, argv=(sys.executable, "-m", "tests.support.toy_service", each.address, each.name))
        for each in whole.services
    ]
    nothing = (sys.executable, "-c", "")
    return replace(whole, services=services, provision=nothing, first_link=nothing)


if __name__ == "__main__":
    sys.exit(asyncio.run(Supervisor(layout(), toys).run()))
