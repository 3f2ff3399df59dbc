"""What a user would do with each service, in an order that works: a list `STEPS` per service.

A step names an operation of the document, with a body that is accepted. Texts may have places: `{server}` is the id of the
newest server that is known, `{server:1}` that of the one before, `{unique}` a name that nothing has yet. Parameters of paths
are filled in the same way where a step does not give them. Reads, removals and grants need no steps: the walk finds them in
the document.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    operation: str
    body: Any = None
    params: dict = field(default_factory=dict)
    query: dict = field(default_factory=dict)
    headers: dict = field(default_factory=dict)
    # Microversions in which the body is right; both ends are included.
    since: str | None = None
    until: str | None = None

    def fits(self, version):
        """Whether it is for a microversion, which is None where the API has none."""
        if version is None:
            return True
        number = parts(version)
        return (self.since is None or number >= parts(self.since)) and (self.until is None or number <= parts(self.until))


def parts(version):
    return tuple(int(part) for part in version.split("."))


def step(operation, body=None, *, query=None, headers=None, since=None, until=None, **params):
    return Step(operation, body, params, query or {}, headers or {}, since, until)
