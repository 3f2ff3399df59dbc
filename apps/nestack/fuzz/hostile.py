"""Requests that no well-meaning client sends, and that no service may fall over."""

import json

NUL = "a\u0000b"
LONE = "a\ud800b"
HUGE = 10**400


def hostile_bodies(body):
    """Raw bodies made of one that the document allows."""
    depth = 20_000
    text = json.dumps(body) if isinstance(body, (dict, list)) else "{}"
    found = [
        b"\xff\xfe{}",
        b'{"a": "\xc3\x28"}',
        b"{",
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"1e999",
        b"NaN",
        ("[" * depth + "]" * depth).encode(),
        ('{"a":' * depth + "1" + "}" * depth).encode(),
        ("\ufeff" + text).encode(),
        text.replace("{", '{"__proto__": {"x": 1}, "constructor": {}, ', 1).encode(),
        twice(text),
    ]
    for value in (NUL, LONE, HUGE, -1, 1.5, "", " ", "x" * 70_000, [], {}, None, True, nested(200)):
        found.append(json.dumps(everywhere(body, value)).encode())
    # One member after the other, so that the rest stays sensible.
    for value in (NUL, LONE, HUGE, 2**63, "\u202e😀" * 50):
        found += [json.dumps(one).encode() for one in each_place(body, value)][:12]
    return found


def hostile_paths(operation, path):
    """The operation's path with parts and queries that do not decode or mean nothing."""
    found = []
    if "{" in operation.path:
        head, _, _ = path.rpartition("/")
        for name in ("%00", "a%00b", "%ff", "%zz", "..%2f..", "%F0%9F%98%80", "x" * 3000, "%25", "'%20or%201=1--", "9" * 40):
            found.append(f"{head}/{name}")
    queries = (
        "?limit=-1&limit=9999999999999999999&marker=%00",
        "?marker=%ff&sort_key=__proto__&sort_dir=x",
        "?name=%00",
        "?id=%00&id=%ed%a0%80",
        "?%00=1",
        "?limit=1e9&offset=99999999999999999999",
        "?fields=%00&fields=constructor",
        "?sort=__proto__:asc,:,",
        "?&&&==%",
        "?changes-since=0000&created_at=gt:x&size_min=9223372036854775808",
        "?" + "a=1&" * 3000,
    )
    return found + [path + query for query in queries]


def nested(depth):
    value = "x"
    for _ in range(depth):
        value = {"a": [value]}
    return value


def everywhere(value, replacement):
    if isinstance(value, dict):
        return {key: everywhere(item, replacement) for key, item in value.items()} or replacement
    if isinstance(value, list):
        return [everywhere(item, replacement) for item in value] or replacement
    return replacement


def each_place(value, replacement):
    if isinstance(value, dict):
        for key, item in value.items():
            for changed in each_place(item, replacement):
                yield {**value, key: changed}
    elif isinstance(value, list) and value:
        for changed in each_place(value[0], replacement):
            yield [changed, *value[1:]]
    else:
        yield replacement


def twice(text):
    """The same keys twice: the last counts, and none of it may confuse."""
    return (text[:-1] + "," + text[1:]).encode() if text.startswith("{") and len(text) > 2 else b'{"a":1,"a":2}'
