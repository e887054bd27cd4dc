"""A signing key makes room for a new one; what it has signed is still believed until it is forgotten.

    python -m shared.identity.key_rotation rotate|forget FOLDER/NAME.pem

Only the public half of a former key is kept, beside the key, in `NAME.former/<key id>.pem`.
"""

import sys
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from shared.identity.tokens import key_id, signing_key

USAGE: Final = "usage: python -m shared.identity.key_rotation rotate|forget FOLDER/NAME.pem"


def believed(path: Path) -> list[Ed25519PublicKey]:
    """The public keys whose signatures count: that of the private key at `path` first, then the former ones."""
    return [signing_key(path).public_key(), *(_former(file) for file in sorted(_folder(path).glob("*.pem")))]


def rotate(path: Path) -> str:
    """Put a new private key at `path`, and keep the public half of the old one. The new key's id.

    A process that runs signs with the old one until it is started again. Killed in between, it can be called again.
    """
    old = signing_key(path).public_key()
    folder = _folder(path)
    folder.mkdir(mode=0o700, exist_ok=True)
    kept = folder / f"{key_id(old)}.pem"
    fresh = kept.with_suffix(".new")
    fresh.write_bytes(old.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    fresh.replace(kept)
    path.unlink()
    return key_id(signing_key(path).public_key())


def forget(path: Path) -> list[str]:
    """Take away all former keys of the one at `path`: what they signed is refused. Their ids."""
    files = sorted(_folder(path).glob("*.pem"))
    for file in files:
        file.unlink()
    return [file.stem for file in files]


def _folder(path: Path) -> Path:
    return path.with_suffix(".former")


def _former(file: Path) -> Ed25519PublicKey:
    key = load_pem_public_key(file.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        text = f"{file} holds no Ed25519 public key; remove it"
        raise TypeError(text)
    return key


def main(arguments: list[str]) -> int:
    match arguments:
        case ["rotate", name] if Path(name).is_file():
            print(f"new key {rotate(Path(name))}; start the service again so that it signs with it")  # noqa: T201 - for the operator
            return 0
        case ["forget", name] if Path(name).is_file():
            print(f"forgotten: {', '.join(forget(Path(name))) or 'none'}; start the service again")  # noqa: T201 - for the operator
            return 0
        case [_, name]:
            print(f"there is no key at {name}. {USAGE}", file=sys.stderr)  # noqa: T201 - for the operator
        case _:
            print(USAGE, file=sys.stderr)  # noqa: T201 - for the operator
    return 64


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
