"""The front: a process of its own that holds a pipeline's ports open and hands what comes in to its Fluent Bits.

It goes on when the core instance ends or restarts, so data flows on; see `docs/decisions/0009-who-owns-a-pipelines-ports.md`.
"""
