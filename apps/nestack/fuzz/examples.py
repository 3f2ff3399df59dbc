"""Bodies that work, changed in a field or two: random ones alone rarely get past the first check of many."""

import copy
import re


class Examples:
    def __init__(self, by_path, random):
        self.by_path = by_path
        self.random = random

    def apply(self, operation, case):
        """Makes the case's body one that works, with some of the generated one's fields."""
        if not isinstance(case.body, dict):
            return
        path = operation.path.split("#")[0]
        method = operation.method.upper()
        parent = re.sub(r"/\{\w+\}$", "", path)
        if method == "POST" and path in self.by_path:
            base = self._fresh(self.random.choice(self.by_path[path]))
        elif method in ("PUT", "PATCH") and parent != path and parent in self.by_path:
            # A change names only what changes.
            base = {key: {} if isinstance(value, dict) else value for key, value in self.by_path[parent][0].items()}
        else:
            return
        case.body = self._merged(base, case.body)

    def _merged(self, base, generated):
        for key in [key for key in base if isinstance(base[key], dict)]:
            inner = generated.get(key)
            if isinstance(inner, dict):
                names = self.random.sample(sorted(inner), min(len(inner), self.random.randint(0, 2)))
                base[key].update({name: inner[name] for name in names})
        return base

    def _fresh(self, body):
        """Names are unique in many places."""
        body = copy.deepcopy(body)
        for fields in (body, *[value for value in body.values() if isinstance(value, dict)]):
            if isinstance(fields.get("name"), str):
                fields["name"] = f"fuzz-{self.random.randrange(1 << 40):x}"
        return body
