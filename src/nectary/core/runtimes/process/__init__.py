"""Pipelines as Fluent Bit processes of this machine, behind a front that owns their ports."""
