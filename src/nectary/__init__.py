"""Nectary: an open, self-hosted control plane for Fluent Bit fleets and telemetry pipelines."""

__version__ = "0.1.0"
