"""Fluent Bit's wire protocol: agents ask, and are answered quickly. ROUTES comes before the published API's."""

from starlette.routing import Route

from nectary.agent_api import fleet_config, metrics, registration, traces

ROUTES: tuple[Route, ...] = (*metrics.ROUTES, *registration.ROUTES, *fleet_config.ROUTES, *traces.ROUTES)
