"""Secrets that only their core instance can read: the server seals them with a public key and cannot open them again.

The scheme is the published one, so that core instances of other makes can open what is sealed here: RSA with OAEP, SHA-512 for
digest and mask, no label. A text is cut into blocks of 126 bytes, the most that fits (256 - 2 * 64 - 2); each becomes 256.
Keys travel as base64 of PEM. A public key is labelled `RSA PUBLIC KEY`, though what it holds is a SubjectPublicKeyInfo, not the
PKCS#1 structure which that label usually names; so both labels are understood, and both structures.

Nothing here needs the server: it is what a core instance opens its secrets with, too.
"""

import base64
import binascii
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

BITS = 2048
SEALED_BLOCK = BITS // 8
BLOCK = SEALED_BLOCK - 2 * hashes.SHA512.digest_size - 2

_PADDING = padding.OAEP(mgf=padding.MGF1(hashes.SHA512()), algorithm=hashes.SHA512(), label=None)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two halves of a key, each as base64 of PEM."""

    private: str
    public: str


def generate() -> Pair:
    """A new pair. Takes a tenth of a second or more of one core: not for the event loop."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Pair(_base64(private), _base64(public.replace(b" PUBLIC KEY", b" RSA PUBLIC KEY")))


def seal(public: str, text: bytes) -> bytes:
    """What only the private half opens: 256 bytes for every 126 begun, and for none at all. Raises ValueError for no key."""
    key = _public_key(public)
    return b"".join(key.encrypt(text[start : start + BLOCK], _PADDING) for start in range(0, max(len(text), 1), BLOCK))


def unseal(private: str, sealed: bytes) -> bytes:
    """What was sealed with the public half. Raises ValueError when it was not, or was cut short, or `private` is no key."""
    key = _private_key(private)
    if not sealed or len(sealed) % SEALED_BLOCK:
        raise ValueError(f"{len(sealed)} bytes are not whole blocks of {SEALED_BLOCK}")
    blocks = (sealed[start : start + SEALED_BLOCK] for start in range(0, len(sealed), SEALED_BLOCK))
    return b"".join(key.decrypt(block, _PADDING) for block in blocks)


def _public_key(text: str) -> rsa.RSAPublicKey:
    key = None
    for label in (b" PUBLIC KEY", b" RSA PUBLIC KEY"):
        try:
            key = serialization.load_pem_public_key(_pem(text).replace(b" RSA PUBLIC KEY", label))
            break
        except ValueError:
            continue
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size != BITS:
        raise ValueError(f"not a public RSA key of {BITS} bits")
    return key


def _private_key(text: str) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(_pem(text), password=None)
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size != BITS:
        raise ValueError(f"not a private RSA key of {BITS} bits")
    return key


def _base64(pem: bytes) -> str:
    return base64.b64encode(pem).decode("ascii")


def _pem(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise ValueError("not base64") from None
