"""One way through every operation of a service as its user would go it, so that much of it is reached with what works."""

import importlib
import json
import re
import time
import uuid

from walks import Step

# A resource that is still at work refuses what follows; it is asked again.
TRIES = 12
PAUSE_S = 0.25
BUSY = re.compile(r"stat(e|us)|busy|progress|available|scheduled", re.IGNORECASE)
PLACE = re.compile(r"\{(\w+)(?::(\d+))?\}")


def steps_of(service, version):
    """The service's steps for a microversion, in their order."""
    return [one for one in importlib.import_module(f"walks.{service}").STEPS if one.fits(version)]


class Places:
    """Puts ids and names into what the steps leave open; `find(name, back)` tells which ids."""

    def __init__(self, find, random):
        self.find = find
        self.random = random

    def fill(self, value):
        """The value with its places filled; None where something that it needs is not there."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            filled = [self.fill(item) for item in value]
            return None if any(new is None and old is not None for new, old in zip(filled, value)) else filled
        if isinstance(value, dict):
            found = {}
            for key, item in value.items():
                key, new = self.fill(key), self.fill(item)
                if key is None or (new is None and item is not None):
                    return None
                found[key] = new
            return found
        return value

    def _text(self, text):
        whole = PLACE.fullmatch(text)
        if whole:
            return self._of(whole.group(1), int(whole.group(2) or 0))
        for name, number in PLACE.findall(text):
            value = self._of(name, int(number or 0))
            if value is None:
                return None
            place = "{" + name + (":" + number if number else "") + "}"
            text = text.replace(place, str(value), 1)
        return text

    def _of(self, name, back):
        if name.lower() == "unique":
            text = f"fuzz-{self.random.randrange(1 << 40):x}"
            return text if name == "unique" else text.upper().replace("-", "_")
        if name == "uuid":
            return str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        return self.find(name, back)


class Walk:
    """Steps, then grants and reads of what they have made; removals are for the end of the run."""

    def __init__(self, run, steps):
        self.run = run
        self.steps = steps
        self.places = Places(run.pools.newest, run.random)
        self.by_id = {one.definition.raw["operationId"]: one for one in run.operations}

    def go(self):
        # What there is already: hosts, services, types.
        for operation in self._with("GET"):
            if "{" not in operation.path:
                self.take(Step(operation.definition.raw["operationId"]))
        for one in self.steps:
            self.take(one)
        for operation in self._with("PUT"):
            # Grants, tags and the like.
            if not operation.body:
                self.take(Step(operation.definition.raw["operationId"]))
        for operation in self._with("GET", "HEAD"):
            if "{" in operation.path:
                self.take(Step(operation.definition.raw["operationId"]))

    def leave(self):
        """Removes, what depends on others first."""
        for operation in sorted(self._with("DELETE"), key=lambda one: -one.path.count("{")):
            self.take(Step(operation.definition.raw["operationId"]), writes=True)

    def _with(self, *methods):
        """Operations that have not succeeded yet."""
        found = [one for one in self.run.operations if one.method.upper() in methods]
        return [one for one in found if one.label not in self.run.reached]

    def take(self, step, writes=False):
        operation = self.by_id.get(step.operation)
        if operation is None or self.run.sent >= self.run.plan["requests"]:
            return
        given = self.places.fill(step.params)
        body, query, headers = (self.places.fill(one) for one in (step.body, step.query, step.headers))
        params = None if given is None else self.run.pools.named(operation, given, writes)
        if params is None or query is None or headers is None or (body is None and step.body is not None):
            self.run.note(operation, "step left out: what it needs is not there")
            return
        for _ in range(TRIES):
            response = self.run.send_step(operation, params, query, headers, body)
            if response is None:
                return
            if writes and response.status_code == 404:
                # Gone already: the next one.
                self.run.pools.gone(operation, params)
                following = self.run.pools.named(operation, given, writes)
                if following is None or following == params:
                    break
                params = following
                continue
            if writes or not busy(response):
                break
            time.sleep(PAUSE_S)
        if response.status_code >= 400:
            self.run.note(operation, f"step refused: {response.status_code} {response.text[:200]}")


def busy(response):
    if response.status_code not in (400, 409):
        return False
    try:
        text = json.dumps(response.json())
    except ValueError:
        return False
    return BUSY.search(text) is not None
