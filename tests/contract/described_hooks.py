"""What schemathesis must be told of our bodies: MessagePack is sent as the bytes it makes up. Loaded by the tool itself."""

from typing import Any

import schemathesis
from schemathesis.transport.serialization import serialize_binary


@schemathesis.serializer("application/x-msgpack", "application/msgpack")
def as_it_is(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    return serialize_binary(value)
