"""The published API as typed calls, for Nectary's own command line and for other people's Python.

    with Client("http://127.0.0.1:5000", token) as nectary:
        for agent in nectary.agents():
            print(agent.name, agent.status)

`token` is a project token or a person's bearer token; the client tells them apart. Every call raises `Refused` for an answer
of 400 or more, with the server's own sentence, and `Unreachable` when there is no answer.
"""

from nectary.client.calls import Client, Refused, Unreachable
from nectary.client.things import Agent, Environment, Project, Token

__all__ = ["Agent", "Client", "Environment", "Project", "Refused", "Token", "Unreachable"]
