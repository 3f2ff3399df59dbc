"""Bodies that work, changed in a field or two: random ones alone rarely get past the first check of many."""

import copy

from walk import Places

# How many of an operation's examples go out as they are.
UNCHANGED_SHARE = 0.4
# Bodies of an operation that are kept because they were accepted.
LEARNED = 6


class Examples:
    """The bodies and queries of the service's steps, and what else was accepted in this run."""

    def __init__(self, steps, pools, random):
        self.random = random
        self.places = Places(lambda name, back: pools.any_of(name), random)
        self.steps = {}
        for one in steps:
            self.steps.setdefault(one.operation, []).append(one)
        self.learned = {}

    def learn(self, operation, case):
        """Keeps a body that was accepted."""
        if isinstance(case.body, (dict, list)) and case.body:
            kept = self.learned.setdefault(operation.definition.raw["operationId"], [])
            if len(kept) < LEARNED:
                kept.append(copy.deepcopy(case.body))
            else:
                kept[self.random.randrange(LEARNED)] = copy.deepcopy(case.body)

    def apply(self, operation, case):
        """Makes the case's body one that works, with some of the generated one's fields."""
        name = operation.definition.raw["operationId"]
        learned = self.learned.get(name)
        if learned and self.random.random() < 0.4:
            case.body = self._merged(self._named(copy.deepcopy(self.random.choice(learned))), case.body)
            return
        steps = self.steps.get(name)
        if not steps:
            return
        step = self.random.choice(steps)
        body, params, query = (self.places.fill(one) for one in (step.body, step.params, step.query))
        if params:
            case.path_parameters = {**(case.path_parameters or {}), **{key: str(value) for key, value in params.items()}}
        if query:
            case.query = {**(case.query or {}), **query}
        if isinstance(body, (dict, list)):
            case.body = self._merged(body, case.body)

    def _merged(self, base, generated):
        if self.random.random() < UNCHANGED_SHARE or not (isinstance(base, dict) and isinstance(generated, dict)):
            return base
        inner = [key for key in base if isinstance(base[key], dict) and isinstance(generated.get(key), dict)]
        pairs = [(base[key], generated[key]) for key in inner] or [(base, generated)]
        for target, source in pairs:
            names = self.random.sample(sorted(source), min(len(source), self.random.randint(1, 2)))
            target.update({name: source[name] for name in names})
        return base

    def _named(self, body):
        """Names are unique in many places: mostly a new one, so that both outcomes are seen."""
        parts = [body, *[value for value in body.values() if isinstance(value, dict)]] if isinstance(body, dict) else []
        for fields in parts:
            if isinstance(fields.get("name"), str) and self.random.random() < 0.8:
                fields["name"] = f"fuzz-{self.random.randrange(1 << 40):x}"
        return body
