"""Throughput: the bytes an agent posts become counters that survive restarts, and the series people look at.

`cmetrics` reads a posted body, `counters` turns raw counters into lifetime totals, `series` turns stored totals into the
published shapes. All three are pure: no database, no HTTP, no clock.
"""
