"""Ends work that goes on beside us."""

import asyncio
from typing import Any


async def end(task: "asyncio.Task[Any] | None") -> None:
    """Cancel a task until it is over: `asyncio.wait_for` of Python 3.11 swallows a cancellation that comes together with what
    it waits for (python/cpython#86296)."""
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=1.0)
    if task is not None and not task.cancelled():
        task.exception()  # seen; whoever started it has told of it
