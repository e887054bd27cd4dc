import pytest

from shared.settings import embedded_database
from shared.storage.mongo import Driver, connect


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
@pytest.mark.parametrize(
    ("url", "retried"),
    [
        (embedded_database(9), False),
        ("mongodb://a:9,b:9/?replicaSet=konullu", True),
        ("mongodb://a:9,b:9/?replicaSet=konullu&retryWrites=false", False),
    ],
)
async def test_whether_the_driver_tries_a_write_again_is_the_addresss_to_say(
    url: str, driver: Driver, retried: bool
) -> None:
    client = connect(url, driver)

    assert client._raw.options.retry_writes is retried
    await client.close()
