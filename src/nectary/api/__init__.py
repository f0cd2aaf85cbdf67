"""The published API: people and tools ask, JSON answers. One module a noun; ROUTES lists them by hand."""

from nectary.api import (
    agent_errors,
    agents,
    audit_logs,
    environments,
    health,
    invitations,
    memberships,
    metrics,
    projects,
    search,
    sign_in,
    tokens,
    users,
)

ROUTES = (
    health.router,
    sign_in.router,
    users.router,
    projects.router,
    tokens.router,
    memberships.router,
    invitations.router,
    environments.router,
    agents.router,
    agent_errors.router,
    metrics.router,
    search.router,
    audit_logs.router,
)
