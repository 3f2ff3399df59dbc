"""Ids that exist, by the name of the resource, so that requests get further than 404."""

import json
import re
from urllib.parse import quote

# Names of parameters and body fields where they do not say the resource plainly.
ALIASES = {
    "uuid": "resource_provider",
    "consumer_uuid": "consumer",
    "tenant_id": "project",
    "target_project_id": "project",
    "prior_role_id": "role",
    "implied_role_id": "role",
    "type_id": "volume_type",
    "qos_id": "qos_specs",
    "transfer_id": "transfer",
    "keypair_name": "keypair",
    "key_name": "keypair",
    "imageref": "image",
    "image_ref": "image",
    "rescue_image_ref": "image",
    "flavorref": "flavor",
    "flavor_ref": "flavor",
    "volumeid": "volume",
    "source_volid": "volume",
    "server": "server",
    "instance_uuid": "server",
    "fixed_network": "network",
    "floating_network_id": "network",
    "external_network_id": "network",
    "member": "project",
    "member_id": "project",
    "default_project_id": "project",
    "trustor_user_id": "user",
    "trustee_user_id": "user",
    "network_ip_availability_id": "network",
    "resource_class": "resource_class",
    "parent_provider_uuid": "resource_provider",
    "root_provider_uuid": "resource_provider",
    "parent_id": "project",
    "remote_group_id": "security_group",
    "target_tenant": "project",
    "object_id": "network",
}
FIELDS_BY_PARENT = {("networks", "uuid"): "network", ("networks", "port"): "port"}
# These name their rows otherwise than by `id`.
KEYS = {"keypair": ("name",), "resource_provider": ("uuid",), "trait": (), "resource_class": ("name",), "hypervisor": ("id",)}
WRITES = {"POST", "PUT", "PATCH", "DELETE"}
# Nobody's by creation: what these make is of another kind, or opens the way out of the run.
NEVER_OWN = {"token", "agent", "service_state", "extension", "quota", "quota_set"}
# Single facts of answers, by the field that tells them: the newest is the one that counts.
FACTS = {
    "resource_provider_generation": "generation",
    "floating_ip_address": "floating_address",
    "auth_key": "auth_key",
    "encryption_id": "encryption",
}
LIMIT = 200
# How many of the requests name a child together with the parent that it is known to have.
PAIRED_SHARE = 0.7


class Pools:
    """`known` are ids to read and to refer to, `own` those that the run may change and remove."""

    def __init__(self, known, own, random, operations=()):
        self.facts = {}
        # Parameters that were good together, by path; and by a collection's path the parameter of its items.
        self.pairs = {}
        self.items = {}
        for operation in operations:
            found = re.fullmatch(r"(.*)/\{(\w+)\}", operation.path)
            if found:
                self.items[found.group(1)] = found.group(2)
        self.known = {name: list(values) for name, values in known.items()}
        self.own = {name: list(values) for name, values in own.items()}
        self.random = random
        for name, values in self.own.items():
            for value in values:
                self._add(self.known, name, value)

    def name_of(self, path, parameter):
        plain = parameter.lower()
        before = re.search(r"/([\w-]+)/\{" + re.escape(parameter) + r"\}", path)
        # `/traits/{name}`: what it names stands before it.
        if plain in ("name", "id", "uuid") and before:
            return singular(before.group(1)).replace("-", "_")
        if plain in ALIASES:
            return ALIASES[plain]
        return plain.removesuffix("_id").removesuffix("_name")

    def pick(self, name, own):
        values = (self.own if own else self.known).get(name)
        return self.random.choice(values) if values else None

    def any_of(self, name):
        """Some resource that may be named."""
        return self.facts[name] if name in self.facts else self.pick(name, False)

    def newest(self, name, back=0):
        """The resource that was made last, or `back` before it; of others the first that was known."""
        if back == 0 and name in self.facts:
            return self.facts[name]
        values = self.own.get(name, [])[::-1] or self.known.get(name, [])
        return values[back] if len(values) > back else None

    def named(self, operation, given, writes):
        """Path parameters for a walk: those given, and the newest ids. None where one is missing, or is not ours to write to."""
        path = operation.path.split("#")[0]
        names = re.findall(r"\{(\w+)\}", path)
        pairs = [one for one in self.pairs.get(path, []) if not writes or self._is_own(path, one)]
        if pairs and not given:
            return dict(pairs[-1])
        found = {}
        for name in names:
            kind = self.name_of(path, name)
            value = given.get(name, self.newest(kind))
            if value is None or (writes and name == names[0] and value not in self.own.get(kind, [])):
                return None
            found[name] = str(value)
        return found

    def gone(self, operation, parameters):
        """Nothing is there under these parameters."""
        path = operation.path.split("#")[0]
        if len(parameters) == 1:
            ((name, value),) = parameters.items()
            self.forget(self.name_of(path, name), value)
        elif parameters in self.pairs.get(path, []):
            self.pairs[path].remove(parameters)

    def _is_own(self, path, parameters):
        first = re.search(r"\{(\w+)\}", path).group(1)
        return parameters[first] in map(str, self.own.get(self.name_of(path, first), []))

    def fill_path(self, operation, case):
        """Puts ids that exist into the path."""
        path = operation.path.split("#")[0]
        parameters = dict(case.path_parameters or {})
        names = re.findall(r"\{(\w+)\}", path)
        pairs = [one for one in self.pairs.get(path, []) if operation.method.upper() not in WRITES or self._is_own(path, one)]
        if pairs and self.random.random() < PAIRED_SHARE:
            parameters.update(self.random.choice(pairs))
            names = []
        for position, parameter in enumerate(names):
            # The resource that is written is the first: what comes behind it is only named (a user in a role's grant).
            value = self._for(operation, path, parameter)
            if value is None and position > 0:
                value = self.pick(self.name_of(path, parameter), False)
            if value is not None:
                parameters[parameter] = str(value)
        if parameters:
            case.path_parameters = parameters
    def fill(self, operation, case):
        """Puts ids that exist where the request names resources."""
        self.fill_path(operation, case)
        if isinstance(case.query, dict) and case.query:
            query = dict(case.query)
            for name, value in query.items():
                found = self.pick(self.name_of("", name), False) if isinstance(value, str) else None
                if found is not None and self.random.random() < 0.7:
                    query[name] = found
            case.query = query
        if isinstance(case.body, (dict, list)):
            case.body = self.filled(case.body, None)

    def path_of(self, operation):
        """The operation's path as sent, with ids that exist where there are any."""
        path = operation.path.split("#")[0]

        def value(match):
            found = self._for(operation, path, match.group(1))
            return quote(str(found if found is not None else "none-such"), safe="")

        return re.sub(r"\{(\w+)\}", value, path)

    def learn(self, operation, parameters, response):
        path = operation.path.split("#")[0]
        method = operation.method.upper()
        if method == "DELETE" and response.status_code < 300 and path.endswith("}"):
            self.gone(operation, parameters or {})
            return
        if response.status_code == 404 and method == "GET" and re.fullmatch(r"[^{]*/\{\w+\}", path):
            # Gone by another way than its own removal.
            self.gone(operation, parameters or {})
        if response.status_code >= 300:
            return
        self._learn_path(path, method, parameters or {})
        self._learn_headers(method, response)
        if not response.content[:1] == b"{":
            return
        try:
            body = json.loads(response.content)
        except ValueError:
            return
        made = method == "POST" and not path.endswith("}") and response.status_code in (200, 201, 202)
        rows = [(None, body)] if "id" in body else []
        for key, value in body.items():
            if isinstance(value, dict):
                rows.append((key, value))
            elif isinstance(value, list):
                rows += [(singular(key), one) for one in value[:20] if isinstance(one, dict)]
        self._learn_items(path, parameters or {}, body)
        if made:
            self._learn_named(path, parameters or {}, body)
            # An image of a server is not below its path.
            if isinstance(body.get("image_id"), str):
                for pool in (self.known, self.own):
                    self._add(pool, "image", body["image_id"])
        self._learn_facts(body)
        for key, row in rows:
            name = key or singular(path.rstrip("/").split("/")[-1]).replace("-", "_")
            for field in KEYS.get(name, ("id", "uuid")):
                # Nova wraps each key pair once more.
                value = row.get(field) if field in row else (row.get(name) or {}).get(field) if isinstance(row.get(name), dict) else None
                if isinstance(value, (str, int)) and not isinstance(value, bool):
                    self._add(self.known, name, value)
                    if made and name not in NEVER_OWN:
                        self._add(self.own, name, value)
                    break

    def _learn_path(self, path, method, parameters):
        """A request that was accepted named what exists."""
        if path.count("{") > 1:
            self._pair(path, parameters)
        elif path.endswith("}") and method == "PUT" and parameters:
            # Made under a name that the client chose (traits), or there before.
            ((name, value),) = parameters.items()
            self._add(self.known, self.name_of(path, name), value)

    def _learn_headers(self, method, response):
        """What is made without a body is told by its place."""
        place = header(response, "location")
        found = re.search(r"/([\w-]+)/([^/?]+)$", place or "")
        if found and method == "POST":
            name = singular(found.group(1)).replace("-", "_")
            for pool in (self.known, self.own):
                self._add(pool, name, found.group(2))
        subject = header(response, "x-subject-token")
        if subject and method == "POST":
            self.facts["subject"] = subject

    def _learn_items(self, path, parameters, body):
        """The items of a collection, by the parameter that names one of them."""
        name = self.items.get(path)
        if name is None:
            return
        for key, value in body.items():
            if key == "links" or key.endswith("_links"):
                continue
            if isinstance(value, dict):
                found = [value[field] for field in (name, "id") if field in value] or list(value)
            elif isinstance(value, list):
                rows = [row.get(name, row.get("id", row.get("name"))) if isinstance(row, dict) else row for row in value]
                found = [row for row in rows if row is not None]
            else:
                found = []
            for item in found[:5]:
                if isinstance(item, (str, int)) and not isinstance(item, bool) and fits_into_path(item):
                    self._add(self.known, self.name_of(f"{path}/{{{name}}}", name), item)
                    if "{" in path:
                        self._pair(f"{path}/{{{name}}}", {**parameters, name: str(item)})

    def _learn_named(self, path, parameters, body):
        """What was made and has a name for an id."""
        name = self.items.get(path)
        if name is None or "id" in body:
            return
        kind = self.name_of(f"{path}/{{{name}}}", name)
        value = body.get(kind, body.get("name"))
        if isinstance(value, str):
            for pool in (self.known, self.own):
                self._add(pool, kind, value)
            if "{" in path:
                self._pair(f"{path}/{{{name}}}", {**parameters, name: value})

    def _learn_facts(self, body):
        rows = [body, *[value for value in body.values() if isinstance(value, dict)]]
        rows += [row for value in body.values() if isinstance(value, list) for row in value[:20] if isinstance(row, dict)]
        for row in rows:
            for field, name in FACTS.items():
                if isinstance(row.get(field), (str, int)):
                    self.facts[name] = row[field]
            console = re.search(r"token(?:=|%3D)([\w-]+)", str(row.get("url")))
            if console:
                self.facts["console_token"] = console.group(1)
            if row.get("binary") == "nova-compute" and row.get("host"):
                self.facts["compute_host"] = row["host"]
                self.facts["compute_service"] = row.get("id")
            if row.get("binary") == "cinder-volume" and row.get("host"):
                self.facts["volume_host"] = row["host"]
            if isinstance(row.get("name"), str) and re.fullmatch(r"[\w.-]+@[\w.-]+#.+", row["name"]):
                self.facts["pool_host"] = row["name"]

    def _pair(self, path, parameters):
        found = self.pairs.setdefault(path, [])
        if parameters and parameters not in found and all(map(fits_into_path, parameters.values())):
            found.append(dict(parameters))
            del found[:-LIMIT]

    def forget(self, name, value):
        for pool in (self.known, self.own):
            if value in pool.get(name, []):
                pool[name].remove(value)

    def _for(self, operation, path, parameter):
        name = self.name_of(path, parameter)
        own = operation.method.upper() in WRITES
        value = self.pick(name, own)
        # Something must be left for the others to work with.
        if operation.method.upper() == "DELETE" and path.endswith("{" + parameter + "}") and path.count("{") == 1:
            if len(self.own.get(name, [])) < 3:
                return None
        return value

    def filled(self, value, parent=None):
        """A body with ids that exist in most of the places where it names resources."""
        if isinstance(value, list):
            return [self.filled(item, parent) for item in value]
        if not isinstance(value, dict):
            return value
        found = {}
        for key, item in value.items():
            name = FIELDS_BY_PARENT.get((parent, key)) or self.name_of("", key)
            known = self.pick(name, False) if isinstance(item, str) and (key.lower() in ALIASES or key.endswith("_id") or (parent, key) in FIELDS_BY_PARENT) else None
            if known is not None and isinstance(known, str) and self.random.random() < 0.75:
                found[key] = known
            else:
                found[key] = self.filled(item, key)
        return found

    def _add(self, pools, name, value):
        if not fits_into_path(value):
            return
        pool = pools.setdefault(name, [])
        if value not in pool and len(pool) < LIMIT:
            pool.append(value)


def fits_into_path(value):
    """Whether a path with the value in it is still the operation's: not with an empty tag, a dot or a question mark."""
    return value not in ("", ".", "..") and not re.search(r"[?#/]", str(value))


def header(response, name):
    value = response.headers.get(name)
    return value[0] if isinstance(value, list) else value


def singular(name):
    if name.endswith("ies"):
        return name[:-3] + "y"
    if name.endswith("sses"):
        return name[:-2]
    return name.removesuffix("s") if name != "qos_specs" else name
