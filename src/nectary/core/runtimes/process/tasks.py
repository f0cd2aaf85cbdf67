"""Ends work that goes on beside us."""

import asyncio
from typing import Any


async def end(task: "asyncio.Task[Any] | None") -> None:
    """Cancel a task, and wait until it is over. What it raised, whoever started it has told of."""
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
