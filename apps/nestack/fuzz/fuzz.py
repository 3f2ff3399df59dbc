"""One fuzz run against one service: `fuzz.py PLAN.json` (written by `nestack fuzz`, see src/fuzz/fuzz.ts).

Takes operations from the OpenAPI document that the plan names, goes through the service's own steps, sends what
Schemathesis makes of the operations (boundary values first, then random ones, valid and invalid), and judges each answer
by the document. Prints a JSON object per line:
failures as they are found, the totals at the end.
"""

import json
import random
import re
import sys
import warnings

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import checks as registry
from schemathesis.core import NOT_SET
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks as openapi_checks

from examples import Examples
from fields import undeclared
from hostile import hostile_bodies, hostile_paths
from pools import Pools, header
from walk import Walk, steps_of

CHECKS = [
    registry.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.negative_data_rejection,
]
# Creation first, removal last, so that there is something to work with.
ORDER = {"POST": 0, "PUT": 1, "GET": 2, "HEAD": 2, "PATCH": 3, "DELETE": 4}
# What a valid request's ids are replaced with: mostly ids that exist, the rest shows how unknown ones are refused.
KNOWN_SHARE = 0.8
NEGATIVE_SHARE = 0.4
# How many of the valid requests are such as are known to work but for a field or two.
EXAMPLE_SHARE = 0.6
TIMEOUT_S = 60
TRIES_PER_CASE = 4
# Requests per operation from which on a run goes through the service's own steps first.
WALK_FROM = 2


class Enough(BaseException):
    """Ends a generation; nothing of Hypothesis takes it for a failure."""


def say(kind, **fields):
    print(json.dumps({"kind": kind, **fields}), flush=True)


class Run:
    def __init__(self, plan):
        self.plan = plan
        self.random = random.Random(plan["seed"])
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.max_redirects = 0
        self.headers = {"X-Auth-Token": plan["token"], "Accept": "application/json", **plan["headers"]}
        self.statuses = {}
        self.seen = {}
        # How often each operation answered with which status, and the operations that have succeeded at least once: the
        # others were tried at their edges only.
        self.answers = {}
        self.reached = set()
        self.sent = 0
        with open(plan["document"], encoding="utf-8") as file:
            document = json.load(file)
        self.document = document
        self.schema = schemathesis.openapi.from_dict(without_security(separate_actions(document)))
        self.operations = [found.ok() for found in self.schema.get_all_operations()]
        self.operations.sort(key=lambda one: (ORDER.get(one.method.upper(), 5), one.path))
        steps = steps_of(plan["service"], plan["version"])
        self.pools = Pools(plan["pools"], plan["own"], self.random, self.operations)
        self.examples = Examples(steps, self.pools, self.random)
        self.walk = Walk(self, steps)

    def note(self, operation, text):
        say("note", operation=operation.label, text=text)

    def go(self):
        """Goes through what works, then sends what is random, and removes what is left by the operations themselves."""
        walks = self.plan["requests"] >= WALK_FROM * len(self.operations)
        if walks:
            self.walk.go()
        removals = sum(one.method.upper() == "DELETE" for one in self.operations) if walks else 0
        self.random_ones(self.plan["requests"] - self.sent - removals)
        if walks:
            self.walk.leave()
            self.random_ones(self.plan["requests"] - self.sent)

    def random_ones(self, number):
        budget = self.sent + number
        share = max(2, number // max(1, len(self.operations)))
        # Two halves, so that the second meets what the first has made.
        for half in (0, 1):
            for index, operation in enumerate(self.operations):
                self.fuzz(operation, max(1, share // 2), half, index, budget)
        # What integer division and small operations have left over goes to whoever takes a body.
        rich = [one for one in self.operations if one.body] or self.operations
        turn = 2
        while self.sent < budget:
            before = self.sent
            for index, operation in enumerate(rich):
                if self.sent < budget:
                    self.fuzz(operation, 6, turn, index, budget)
            turn += 1
            if self.sent == before:
                break

    def fuzz(self, operation, count, turn, index, budget):
        for case, source in self.cases(operation, count, turn, index):
            if self.sent >= budget:
                return
            self.call(operation, case, source)
        if turn == 0:
            self.without_token(operation)
        for probe in self.probes(operation, count):
            if self.sent >= budget:
                return
            self.send_raw(operation, *probe)

    def cases(self, operation, count, turn, index):
        found = []
        if turn == 0:
            boundary = list(self.boundaries(operation, count * 6))
            found += [(case, "boundary") for case in self.random.sample(boundary, min(len(boundary), count // 2))]
        negative = int((count - len(found)) * NEGATIVE_SHARE)
        positive = count - len(found) - negative
        number = self.plan["seed"] * 1_000_003 + turn * 10_007 + index
        for mode, wanted in ((GenerationMode.POSITIVE, positive), (GenerationMode.NEGATIVE, negative)):
            found += [(case, mode.value) for case in self.generate(operation, mode, wanted, number)]
        return found

    def boundaries(self, operation, limit):
        config = self.schema.config.generation_for(operation=operation, phase="coverage")
        modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
        try:
            for case in self.schema.iter_coverage_cases(operation, generation_modes=modes, generation_config=config):
                # Other methods on the path are another operation's matter.
                if case.method.upper() != operation.method.upper():
                    continue
                yield case
                limit -= 1
                if limit <= 0:
                    return
        except Exception as error:  # noqa: BLE001
            say("note", operation=operation.label, text=f"no boundary values: {error!r}"[:300])

    def generate(self, operation, mode, count, number):
        if count <= 0:
            return []
        found = []
        tries = 0
        strategy = operation.as_strategy(generation_mode=mode)

        @seed(number)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(data=st.data())
        def collect(data):
            nonlocal tries
            # Hypothesis itself would try a thousand times where there is little to get wrong.
            if len(found) >= count or tries >= TRIES_PER_CASE * count:
                raise Enough
            tries += 1
            found.append(data.draw(strategy))

        try:
            collect()
        except Enough:
            pass
        except Exception as error:  # noqa: BLE001
            # An operation without any parameter has nothing to get wrong.
            if mode is GenerationMode.POSITIVE:
                say("note", operation=operation.label, text=f"nothing generated: {error!r}"[:300])
        return found[:count]

    def call(self, operation, case, source):
        """Sends a generated request, mostly with ids that exist and often with a body that works but for a field or two."""
        if source == "positive" and self.random.random() < EXAMPLE_SHARE:
            self.examples.apply(operation, case)
        if source != "negative" and self.random.random() < KNOWN_SHARE:
            self.pools.fill(operation, case)
        elif source == "negative" and wrong_elsewhere(case) and self.random.random() < KNOWN_SHARE:
            self.pools.fill_path(operation, case)
        response = self.exchange(operation, case, source, {})
        if response is not None and source == "positive" and response.status_code < 300:
            self.examples.learn(operation, case)

    def send_step(self, operation, params, query, headers, body):
        """Sends a step of the walk; the answer is judged like any other."""
        media = headers.pop("Content-Type", None) or ("application/json" if body is not None else None)
        case = operation.Case(
            path_parameters=params, query=query, body=NOT_SET if body is None else body, media_type=media
        )
        return self.exchange(operation, case, "walk", headers)

    def exchange(self, operation, case, source, headers):
        try:
            response = case.call(
                base_url=self.plan["url"],
                session=self.session,
                headers={**self.headers, **headers},
                timeout=TIMEOUT_S,
                allow_redirects=False,
            )
        except (ValueError, UnicodeError, requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL):
            # What the client library itself does not send (line breaks in headers).
            return None
        except Exception as error:  # noqa: BLE001
            self.sent += 1
            self.fail(operation, "no_answer", repr(error)[:400], None, source)
            return None
        self.count(operation, response.status_code)
        self.pools.learn(operation, case.path_parameters, response)
        try:
            case.validate_response(response, checks=CHECKS, headers={**self.headers, **headers})
        except FailureGroup as group:
            for failure in group.exceptions:
                self.judge(operation, failure, case, response, source)
        self.check_fields(operation, response, source)
        return response

    def check_fields(self, operation, response, source):
        declared = operation.definition.raw["responses"].get(str(response.status_code), {})
        schema = declared.get("content", {}).get("application/json", {}).get("schema")
        if schema is None or response.status_code >= 300:
            return
        try:
            body = json.loads(response.content)
        except ValueError:
            return
        for path in sorted(set(undeclared(schema, body, self.document))):
            self.fail(operation, "UndeclaredField", path, response, source, describe(response.request))

    def judge(self, operation, failure, case, response, source):
        name = type(failure).__name__
        detail = getattr(failure, "message", "") or str(failure)
        # Also with a Content-Type that nothing takes: what is not there is not there in any of them.
        if name.endswith("ServerError") and response.status_code == 501 and "501" in operation.definition.raw["responses"]:
            return
        sent = describe(response.request)
        self.fail(operation, name, f"{failure.title}: {detail}"[:700], response, source, sent)

    def without_token(self, operation):
        if operation.definition.raw.get("x-public"):
            return
        path = self.pools.path_of(operation)
        response = self.send(operation, path, {}, None, token=False)
        if response is not None and response.status_code != 401:
            self.fail(operation, "ignored_auth", f"without a token: {response.status_code}", response, "no token")

    def probes(self, operation, count):
        """What no generator makes: bytes that are no JSON, nesting, NUL and lone surrogates in any place."""
        every = max(1, count // 10)
        if operation.body:
            samples = self.generate(operation, GenerationMode.POSITIVE, 1, self.random.randrange(1 << 30))
            body = samples[0].body if samples else {}
            content_type = samples[0].media_type if samples else "application/json"
            for data in self.random.sample(hostile_bodies(self.pools.filled(body)), every):
                yield self.pools.path_of(operation), {"Content-Type": content_type}, data
        elif self.random.random() < 0.5:
            yield self.random.choice(hostile_paths(operation, self.pools.path_of(operation))), {}, None

    def send_raw(self, operation, path, headers, data):
        response = self.send(operation, path, headers, data)
        if response is None:
            return
        declared = operation.definition.raw["responses"]
        if response.status_code == 501 and "501" in declared:
            return
        if response.status_code >= 500:
            self.fail(operation, "ServerError", "server error", response, "hostile")
        elif str(response.status_code) not in declared and response.status_code not in (404, 405):
            self.fail(operation, "UndefinedStatusCode", "status not in the document", response, "hostile")

    def send(self, operation, path, headers, data, token=True):
        own = {**self.headers, **headers}
        if not token:
            own.pop("X-Auth-Token")
        request = requests.Request(operation.method.upper(), "http://x", headers=own, data=data).prepare()
        # As it is: `requests` would mend escapes that are to stay wrong.
        request.url = self.plan["url"] + path
        try:
            response = self.session.send(request, timeout=TIMEOUT_S, allow_redirects=False)
        except Exception as error:  # noqa: BLE001
            self.sent += 1
            self.fail(operation, "no_answer", repr(error)[:400], None, "hostile")
            return None
        self.count(operation, response.status_code)
        return response

    def count(self, operation, status):
        self.sent += 1
        self.statuses[status] = self.statuses.get(status, 0) + 1
        answers = self.answers.setdefault(operation.label, {})
        answers[status] = answers.get(status, 0) + 1
        if status < 400:
            self.reached.add(operation.label)

    def fail(self, operation, check, text, response, source, sent=None):
        status = None if response is None else response.status_code
        key = (operation.label, check, status, re.sub(r"[0-9a-f-]{32,36}|\d+", "#", text)[:100])
        self.seen[key] = self.seen.get(key, 0) + 1
        # The same defect shows itself many times; three examples are enough to find it.
        if self.seen[key] > 3:
            return
        say(
            "failure",
            operation=operation.label,
            check=check,
            status=status,
            text=text,
            source=source,
            request=sent or (None if response is None else describe(response.request)),
            answer=None if response is None else response.text[:600],
            request_id=None if response is None else header(response, "x-openstack-request-id"),
        )

    def clean(self):
        """Removes what the run has made, whatever depends on it first."""
        removers = {}
        for operation in self.operations:
            last = re.search(r"\{(\w+)\}$", operation.path)
            if operation.method.upper() == "DELETE" and last and operation.path.count("{") == 1:
                removers[self.pools.name_of(operation.path, last.group(1))] = operation.path
        for _ in range(2):
            for name, path in removers.items():
                for value in list(self.pools.own.get(name, [])):
                    url = self.plan["url"] + re.sub(r"\{\w+\}$", requests.utils.quote(str(value), safe=""), path)
                    answer = self.session.delete(url, headers=self.headers, timeout=TIMEOUT_S)
                    if answer.status_code < 300 or answer.status_code == 404:
                        self.pools.forget(name, value)


def wrong_elsewhere(case):
    """Whether an invalid request's path is none of what is invalid: then it may name what exists, and gets further."""
    component = case.meta and case.meta.generation and case.meta.components.get(ParameterLocation.PATH)
    return bool(component) and component.mode is GenerationMode.POSITIVE


def describe(request):
    body = request.body
    if isinstance(body, bytes):
        body = body.decode("utf-8", "backslashreplace")
    return {"method": request.method, "url": str(request.url), "body": None if body is None else str(body)[:1500]}


def without_security(document):
    """The token is ours to send or to leave out: as a parameter of the document it would be fuzzed and judged."""
    document["components"].pop("securitySchemes", None)
    for item in document["paths"].values():
        for operation in item.values():
            operation["x-public"] = operation.pop("security", None) == []
    return document


def separate_actions(document):
    """Each action of `POST …/action` as an operation of its own: a fragment tells them apart and is never sent."""
    for path, item in list(document["paths"].items()):
        post = item.get("post")
        several = (post or {}).get("x-openstack-operations", [])
        if not several or not path.endswith("/action"):
            continue
        for one in several:
            document["paths"][f"{path}#{one['operationId']}"] = {"post": one}
        del item["post"]
        if not item:
            del document["paths"][path]
    return document


def main():
    warnings.filterwarnings("ignore")
    schemathesis.serializer.alias("application/openstack-images-v2.1-json-patch", "application/json")
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    run = Run(plan)
    try:
        run.go()
    finally:
        run.clean()
    for label in sorted({one.label for one in run.operations} - run.reached):
        say("note", operation=label, text=f"never succeeded: {run.answers.get(label, {})}")
    failures = [{"operation": key[0], "check": key[1], "status": key[2], "count": count} for key, count in run.seen.items()]
    answers = {one.label: run.answers.get(one.label, {}) for one in run.operations}
    say("done", requests=run.sent, answers=answers, statuses=run.statuses, failures=failures)


main()
