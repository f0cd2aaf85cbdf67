"""The published secret scheme, against itself and against OpenSSL's own program."""

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nectary import sealing

PAIR = sealing.generate()


@given(st.binary(max_size=600))
@settings(deadline=None, max_examples=30)
def test_what_is_sealed_is_opened_with_the_private_key(text: bytes) -> None:
    assert sealing.unseal(PAIR.private, sealing.seal(PAIR.public, text)) == text


@pytest.mark.parametrize(("length", "blocks"), [(0, 1), (1, 1), (126, 1), (127, 2), (252, 2), (253, 3)])
def test_every_126_bytes_begun_become_256(length: int, blocks: int) -> None:
    assert len(sealing.seal(PAIR.public, b"x" * length)) == blocks * 256


def test_the_same_text_is_sealed_differently_each_time() -> None:
    assert sealing.seal(PAIR.public, b"text") != sealing.seal(PAIR.public, b"text")


def test_keys_are_labelled_as_published() -> None:
    private, public = base64.b64decode(PAIR.private), base64.b64decode(PAIR.public)
    assert private.startswith(b"-----BEGIN RSA PRIVATE KEY-----\n")
    assert private.endswith(b"\n-----END RSA PRIVATE KEY-----\n")
    assert public.startswith(b"-----BEGIN RSA PUBLIC KEY-----\n")
    assert public.endswith(b"\n-----END RSA PUBLIC KEY-----\n")
    body = base64.b64decode(b"".join(public.splitlines()[1:-1]))
    rsa_encryption = bytes.fromhex("06092a864886f70d010101")
    assert rsa_encryption in body, "a SubjectPublicKeyInfo names its algorithm; a PKCS#1 structure does not"


@pytest.mark.parametrize("sealed", [b"", b"x", b"x" * 255, b"x" * 257, b"x" * 256])
def test_what_was_not_sealed_is_refused(sealed: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the one kind it raises
        sealing.unseal(PAIR.private, sealed)


@pytest.mark.parametrize("key", ["", "not base64!", base64.b64encode(b"no key").decode(), "ümlaut"])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        sealing.seal(key, b"text")
    with pytest.raises(ValueError):  # noqa: PT011
        sealing.unseal(key, b"x" * 256)


def test_another_pair_cannot_open_it() -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        sealing.unseal(sealing.generate().private, sealing.seal(PAIR.public, b"text"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="SKIPPED: no openssl program found")
def test_openssl_opens_a_block_with_sha512_for_digest_and_mask(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(base64.b64decode(PAIR.private))
    (tmp_path / "sealed").write_bytes(sealing.seal(PAIR.public, b"the text"))
    options = ["rsa_padding_mode:oaep", "rsa_oaep_md:sha512", "rsa_mgf1_md:sha512"]
    command = ["openssl", "pkeyutl", "-decrypt", "-inkey", str(tmp_path / "key.pem"), "-in", str(tmp_path / "sealed")]
    opened = subprocess.run([*command, *(w for o in options for w in ("-pkeyopt", o))], capture_output=True, check=True)
    assert opened.stdout == b"the text"
