"""`python -m tests.core.run_process_runtime FOLDER PROGRAM`: a core instance to be killed. Deployments come as files, one after
the other: FOLDER/../wanted.json holds the newest as `remembered` writes it."""

import asyncio
import sys
from pathlib import Path

from nectary.core.runtimes.process import remembered
from nectary.core.runtimes.process.runtime import ProcessRuntime


async def main(folder: Path, program: str) -> None:
    runtime = ProcessRuntime(folder, program=program)
    await runtime.start()
    print("started", flush=True)
    while True:
        wanted = remembered.recall(folder.parent / "wanted.json")
        if wanted is not None:
            await runtime.apply(wanted)
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
