"""Partners' webhooks."""

from dataclasses import replace
from typing import Final

from services.publisher.channels.http_client import Wire
from services.publisher.channels.port import Channel
from services.publisher.channels.spec import CallOptions, ChannelSpec, Order
from services.publisher.channels.webhook.adapter import CAPABILITIES, Webhook


def _build(order: Order[CallOptions]) -> Channel:
    secret = order.secrets["secret"]
    secrets = secret.get_secret_value().split()
    return Webhook(
        order.entry.id,
        base_url=order.entry.base_url or "",
        secret=secret,
        wire=Wire(order.entry.id, secrets=secrets, timeouts=order.options.timeouts),
        capabilities=replace(CAPABILITIES, in_flight=order.options.in_flight),
    )


SPEC: Final = ChannelSpec(
    kind="webhook",
    capabilities=CAPABILITIES,
    options=CallOptions,
    build=_build,
    public_url=lambda entry, _: entry.base_url,
    needs=("secret",),
    replaces_in_place=True,
    is_social=False,
)
