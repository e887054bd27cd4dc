"""Whether anything of some words is left: in any document of a database, however deep."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.storage.mongo import Database


def texts_in(value: object) -> Iterator[str]:
    """Every text in a document, the names of its fields as well."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode("utf-8", "replace")
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield str(name)
            yield from texts_in(each)
    elif isinstance(value, Sequence):
        for each in value:
            yield from texts_in(each)


def found_in(value: object, words: Sequence[str]) -> list[str]:
    """Those of the words that some text in a document has."""
    texts = list(texts_in(value))
    return [word for word in words if any(word in text for text in texts)]


async def left_of(database: Database, collections: Sequence[str], words: Sequence[str]) -> list[str]:
    """Where which of the words still are."""
    left: list[str] = []
    for name in collections:
        documents: list[dict[str, Any]] = await database[name].find({}).to_list(None)
        left += [
            f"{name} {document['_id']}: {word}"
            for document in documents
            for word in found_in(document, words)
        ]
    return left
