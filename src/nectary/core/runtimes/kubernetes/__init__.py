"""Pipelines as objects of a Kubernetes cluster."""
