"""Answers requests for the logs of pipelines with what their Fluent Bits wrote last."""

from nectary.client import core_instances as calls
from nectary.client.asking import Asking
from nectary.core.runtimes import Runtime

_MOST_LINES = 10_000
_MOST_BYTES = 4 * 1024 * 1024


async def answer(asking: Asking, runtime: Runtime, pipeline_id: str) -> int:
    """Answer what is asked of one pipeline; gives how many requests there were."""
    requests = await calls.log_requests(asking, pipeline_id)
    for request in requests:
        text = await runtime.logs(pipeline_id, min(request.lines, _MOST_LINES))
        await calls.answer_log_request(asking, request, _newest(text))
    return len(requests)


def _newest(text: str) -> str:
    """What of it can be kept: the end, from the beginning of a line. No zero bytes, which no database takes."""
    text = text.replace("\0", "\ufffd")
    if len(text) <= _MOST_BYTES:
        return text
    _, _, whole = text[-_MOST_BYTES:].partition("\n")
    return whole
