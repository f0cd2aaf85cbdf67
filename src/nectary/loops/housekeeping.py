"""Throws away what is past keeping."""

from datetime import timedelta

from sqlalchemy import delete

from nectary import clock
from nectary.db import tables
from nectary.edge.context import Context
from nectary.metrics import store
from nectary.resources import alert_deliveries, alerts, fleet_polls, pipeline_statuses, sessions, trace_records

_REVOCATIONS_KEPT = timedelta(hours=1)
_POLLS_KEPT = timedelta(days=7)
_SOME = 1000
_PIPELINES_AT_ONCE = 10


async def tidy(context: Context) -> None:
    kept = (context.settings.keep_raw, context.settings.keep_1m, context.settings.keep_5m)
    for level, seconds in zip(store.LEVELS, kept, strict=True):
        while await _forget_some(context, level, clock.seconds() - seconds):
            pass
    while await _forget_some_traces(context):
        pass
    while await _forget_some_statuses(context):
        pass
    while await _forget_some_polls(context):
        pass
    while await _forget_some_alerts(context):
        pass
    async with context.database.write() as tx:
        await sessions.forget_expired(tx)
        revocations = tables.revocations
        await tx.execute(delete(revocations).where(revocations.c.created_at < clock.now() - _REVOCATIONS_KEPT))


async def _forget_some(context: Context, level: store.Level, before: float) -> bool:
    """A bounded piece at a time, so that nobody waits long for the one writer."""
    async with context.database.write(beside=True) as tx:
        return await store.forget(tx, level, before) > 0


async def _forget_some_traces(context: Context) -> bool:
    older_than = timedelta(seconds=context.settings.keep_traces)
    async with context.database.write() as tx:
        return await trace_records.forget(tx, older_than=older_than, most=_SOME) > 0


async def _forget_some_statuses(context: Context) -> bool:
    async with context.database.write(beside=True) as tx:
        return await pipeline_statuses.forget(tx, keep=context.settings.keep_statuses, most=_PIPELINES_AT_ONCE) > 0


async def _forget_some_polls(context: Context) -> bool:
    async with context.database.write() as tx:
        return await fleet_polls.forget(tx, before=clock.now() - _POLLS_KEPT, most=_SOME) > 0


async def _forget_some_alerts(context: Context) -> bool:
    before = clock.now() - timedelta(seconds=context.settings.keep_alerts)
    async with context.database.write() as tx:
        return await alerts.forget(tx, before, _SOME) + await alert_deliveries.forget(tx, before, _SOME) > 0
