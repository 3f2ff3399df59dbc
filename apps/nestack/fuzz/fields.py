"""Fields of an answer that the document does not tell of. JSON Schema lets them pass unless a schema is closed."""


def undeclared(schema, value, document, path=""):
    """Paths of the fields in `value` that no part of `schema` names."""
    found = []
    alternatives = list(flat(schema, document))
    if isinstance(value, list):
        items = [one["items"] for one in alternatives if isinstance(one.get("items"), dict)]
        for item in value[:5]:
            if items:
                found += undeclared({"anyOf": items}, item, document, path + "[]")
        return found
    if not isinstance(value, dict):
        return []
    objects = [one for one in alternatives if "properties" in one or "patternProperties" in one or "additionalProperties" in one]
    if not objects or any(is_open(one) for one in objects):
        return []
    for key, item in value.items():
        named = [one["properties"][key] for one in objects if key in one.get("properties", {})]
        if named:
            found += undeclared({"anyOf": named}, item, document, f"{path}.{key}")
        elif not any("patternProperties" in one for one in objects):
            found.append(f"{path}.{key}")
    return found


def is_open(schema):
    """Whether further fields are meant to come: `additionalProperties` says which."""
    return schema.get("additionalProperties") not in (None, False)


def flat(schema, document):
    """A schema and its alternatives, references resolved."""
    if not isinstance(schema, dict):
        return
    while "$ref" in schema:
        target = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        schema = target
    yield schema
    for keyword in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(keyword, []):
            yield from flat(one, document)
