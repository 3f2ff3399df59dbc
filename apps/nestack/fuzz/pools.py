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
LIMIT = 200


class Pools:
    """`known` are ids to read and to refer to, `own` those that the run may change and remove."""

    def __init__(self, known, own, random):
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
        return plain.removesuffix("_id")

    def pick(self, name, own):
        values = (self.own if own else self.known).get(name)
        return self.random.choice(values) if values else None

    def fill(self, operation, case):
        """Puts ids that exist where the request names resources."""
        path = operation.path.split("#")[0]
        parameters = dict(case.path_parameters or {})
        names = re.findall(r"\{(\w+)\}", path)
        for position, parameter in enumerate(names):
            # The resource that is written is the first: what comes behind it is only named (a user in a role's grant).
            value = self._for(operation, path, parameter)
            if value is None and position > 0:
                value = self.pick(self.name_of(path, parameter), False)
            if value is not None:
                parameters[parameter] = str(value)
        if parameters:
            case.path_parameters = parameters
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
            last = re.findall(r"\{(\w+)\}", path)[-1]
            self.forget(self.name_of(path, last), (parameters or {}).get(last))
            return
        if response.status_code >= 300 or not response.content[:1] == b"{":
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
        for key, row in rows:
            name = key or singular(path.rstrip("/").split("/")[-1]).replace("-", "_")
            for field in KEYS.get(name, ("id", "uuid")):
                # Nova wraps each key pair once more.
                value = row.get(field) if field in row else (row.get(name) or {}).get(field) if isinstance(row.get(name), dict) else None
                if isinstance(value, (str, int)) and not isinstance(value, bool):
                    self._add(self.known, name, value)
                    if made and name not in NEVER_OWN:
                        self._add(self.own, name, value)

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
        pool = pools.setdefault(name, [])
        if value not in pool and len(pool) < LIMIT:
            pool.append(value)


def singular(name):
    if name.endswith("ies"):
        return name[:-3] + "y"
    if name.endswith("sses"):
        return name[:-2]
    return name.removesuffix("s") if name != "qos_specs" else name
