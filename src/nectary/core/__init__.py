"""A core instance: runs pipelines where the data is. It knows the server only through its API, and goes on without it.

`sync.py` asks what should run, makes it so through a runtime, and reports back; each turn looks at everything anew, so a missed
or interrupted one costs nothing. It imports nothing of the server's: the same code serves a laptop and a cluster.
"""
