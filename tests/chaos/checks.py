# SPDX-License-Identifier: Apache-2.0
"""What must be so when all is quiet again, over everything that can be seen from outside. Pure:
evidence in, breaches out; test_checks.py breaks each rule once."""

import copy
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Iterable, Iterator, Optional

from commands import ODD_KINDS, REGISTRIES, UNTOUCHED
from reference import REJECTED, SUCCEEDED, Command, Expected, Source, Space, apply

# The loop reads its clock once a turn, so a write may seem a little later than its outcome.
CLOCK_SLACK_MS = 1000

# A login is a POST, too, and no command's.
LOGIN_PATH = "/c/login"

SpaceId = tuple[str, str]  # Registry, space.


@dataclass
class Evidence:
    """Everything that was sent, and everything that is there in the end."""

    # All records of the command topics, in the order of each partition: what they mean.
    records: dict[Source, Optional[Command]] = field(default_factory=dict)
    odd: dict[Source, str] = field(default_factory=dict)
    # What the topics hold, as "berth tail --json" shows it.
    results: list[dict[str, Any]] = field(default_factory=list)
    audit: list[dict[str, Any]] = field(default_factory=list)
    spaces: list[dict[str, Any]] = field(default_factory=list)
    dlq: list[dict[str, Any]] = field(default_factory=list)
    # When each answer was seen, in seconds.
    seen: dict[Source, float] = field(default_factory=dict)
    # Of each registry: the stand-in's log of writes, and what is there.
    writes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    writes_dropped: int = 0
    # Space to {"id", "visibility", "robots": {workspace: robot id}, "foreign": [robots],
    # "quota_bytes"}.
    harbor: dict[SpaceId, dict[str, Any]] = field(default_factory=dict)
    # The same by Redis: {"id", "visibility", "robots"}; and its indexes.
    redis: dict[SpaceId, dict[str, Any]] = field(default_factory=dict)
    redis_spaces: dict[str, set[str]] = field(default_factory=dict)
    redis_public: dict[str, set[str]] = field(default_factory=dict)
    redis_workspaces: dict[str, set[SpaceId]] = field(default_factory=dict)
    # What was there before the first command.
    first: dict[SpaceId, Space] = field(default_factory=dict)
    untouched_before: dict[SpaceId, Any] = field(default_factory=dict)
    untouched_after: dict[SpaceId, Any] = field(default_factory=dict)
    # Workspace and space to whether its derived credential pulls.
    pulls: dict[tuple[str, SpaceId], bool] = field(default_factory=dict)
    # Topic and partition to committed offset and end.
    offsets: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Breach:
    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


class Checker:
    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.breaches: list[Breach] = []
        self.answers: dict[Source, list[dict[str, Any]]] = defaultdict(list)
        for record in evidence.results:
            self.answers[source_of(record["value"])].append(record)
        self.final: dict[SpaceId, Space] = copy.deepcopy(evidence.first)
        # The first record of each id, and its content, in the order of its space.
        self.firsts: dict[str, Source] = {}
        # Who was asked to do what, and how the space was before and after it.
        self.changes: dict[Source, tuple[Any, Any]] = {}

    def run(self) -> list[Breach]:
        self.each_is_answered_once()
        self.answers_are_as_if_one_after_the_other()
        self.answers_to_one_id_agree()
        self.dead_letters_are_explained()
        self.audit_has_each_once()
        self.nothing_is_written_after_it_was_settled()
        self.spaces_are_written_in_order()
        self.harbor_is_as_the_answers_say()
        self.redis_says_what_harbor_says()
        self.topic_of_spaces_says_what_harbor_says()
        self.nothing_foreign_is_touched()
        self.credentials_pull()
        self.everything_is_committed()
        return self.breaches

    def breach(self, rule: str, what: str) -> None:
        self.breaches.append(Breach(rule, what))

    # Answers.

    def each_is_answered_once(self) -> None:
        for source, command in self.evidence.records.items():
            wanted = 1 if command is not None else 0
            got = len(self.answers.get(source, []))
            if got < wanted:
                self.breach("lost", f"no answer to {source} {command}")
            elif got > wanted:
                self.breach("doubled", f"{got} answers to {source} {command}")
        for source in self.answers.keys() - self.evidence.records.keys():
            self.breach("doubled", f"an answer to {source}, which isn't there")

    def answers_are_as_if_one_after_the_other(self) -> None:
        contents: dict[str, Any] = {}
        for source, command in self.evidence.records.items():
            if command is None or source not in self.answers:
                continue
            answer = self.answers[source][0]["value"]
            odd = self.evidence.odd.get(source)
            if odd is not None:
                self.compare(source, answer, Expected(REJECTED, frozenset({ODD_KINDS[odd]})))
            elif command.command_id not in self.firsts:
                self.firsts[command.command_id] = source
                contents[command.command_id] = command.content()
                self.first_answer(source, command, answer)
            elif contents[command.command_id] != command.content():
                reused = frozenset({"command.id_reused"})
                self.compare(source, answer, Expected(REJECTED, reused))

    def first_answer(self, source: Source, command: Command, answer: dict[str, Any]) -> None:
        space = self.final.setdefault((command.registry, command.space), Space())
        before = space.view()
        expected = apply(command, space)
        self.changes[source] = (before, space.view())
        self.compare(source, answer, expected)
        if expected.outcome == SUCCEEDED:
            told = shown(answer["space_state"])
            if told != space.view():
                self.breach("answer", f"{source} {command}: {told}, not {space.view()}")

    def compare(self, source: Source, answer: dict[str, Any], expected: Expected) -> None:
        got: tuple[Any, ...] = (answer["outcome"], answer["changed"])
        wanted: tuple[Any, ...] = (expected.outcome, expected.changed)
        if expected.bindings is not None:
            got += ({one["workspace"]: one["change"] for one in answer["bindings"]},)
            wanted += (expected.bindings,)
        if got != wanted or answer["code"] not in expected.codes:
            said = f"{answer['code']} {got}, not {sorted(expected.codes)} {wanted}"
            self.breach("answer", f"{source} {self.evidence.records[source]}: {said}")

    def answers_to_one_id_agree(self) -> None:
        told: dict[tuple[str, Any], Any] = {}
        for source, command in self.evidence.records.items():
            if command is None or source in self.evidence.odd or source not in self.answers:
                continue
            record = self.answers[source][0]
            answer = dict(record["value"])
            if answer["code"] == "command.id_reused":
                continue
            answer.pop("source")
            first = told.setdefault((command.command_id, command.content()), answer)
            if first != answer:
                self.breach("differing", f"{source}: {answer}, before: {first}")
            replayed = record["headers"].get("berth-replayed") == "true"
            if replayed == (self.firsts.get(command.command_id) == source):
                self.breach("differing", f"{source} is marked as replayed: {replayed}")

    def dead_letters_are_explained(self) -> None:
        left = Counter(
            source for source, command in self.evidence.records.items() if command is None
        )
        for record in self.evidence.dlq:
            headers = record["headers"]
            source = (
                headers["berth-dlq-topic"],
                int(headers["berth-dlq-partition"]),
                int(headers["berth-dlq-offset"]),
            )
            if left[source] > 0:
                left[source] -= 1
            else:
                self.breach("dead letter", f"{source}: {headers['berth-dlq-reason']}")
        for source in +left:
            self.breach("dead letter", f"none for {source}, which is no command")

    # Audit.

    def audit_has_each_once(self) -> None:
        """One audit record for each command that was looked at, with the change that the command
        made in its place."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for record in self.evidence.audit:
            value = record["value"]
            if value["code"] not in ("command.id_reused", *ODD_KINDS.values()):
                found[value["command_id"]].append(value)
        for command_id, source in self.firsts.items():
            audits = found.pop(command_id, [])
            if len(audits) != 1:
                self.breach("audit", f"{len(audits)} records for {source} {command_id}")
                continue
            before, after = self.changes[source]
            got = (shown(audits[0]["before"]), shown(audits[0]["after"]))
            if audits[0]["outcome"] == SUCCEEDED and got != (before, after):
                self.breach("audit", f"{source} {command_id}: {got}, not {(before, after)}")
        for command_id in found:
            self.breach("audit", f"a record for {command_id}, which nobody sent")

    # Writes.

    def nothing_is_written_after_it_was_settled(self) -> None:
        ends_ms: dict[str, float] = {}
        for command_id, source in self.firsts.items():
            if source in self.answers:
                finished_ms = time_ms(self.answers[source][0]["value"]["finished_at"])
                seen_ms = self.evidence.seen.get(source, float("inf")) * 1000
                ends_ms[command_id] = min(finished_ms + CLOCK_SLACK_MS, seen_ms)
        for registry, write in self.all_writes():
            command_id = write["request_id"].split("/")[0]
            if command_id not in self.firsts:
                self.breach("write", f"{registry}: of no command: {write}")
            elif write["at_ms"] > ends_ms.get(command_id, float("inf")):
                self.breach("write", f"{registry}: after the answer of its command: {write}")
        if self.evidence.writes_dropped > 0:
            self.breach("write", f"{self.evidence.writes_dropped} are missing in the log")

    def spaces_are_written_in_order(self) -> None:
        """No command writes to its space once a later one has."""
        latest: dict[SpaceId, tuple[int, int, dict[str, Any]]] = {}
        for registry, write in self.all_writes():
            source = self.firsts.get(write["request_id"].split("/")[0])
            command = self.evidence.records.get(source) if source is not None else None
            if command is None or source is None:
                continue
            place = (source[1], source[2], write)
            before = latest.setdefault((registry, command.space), place)
            if before[:2] > place[:2]:
                self.breach("write", f"{registry}: {write} of {source} after {before[2]}")
            latest[registry, command.space] = max(before, place, key=lambda one: one[:2])

    def all_writes(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for registry, writes in self.evidence.writes.items():
            for write in writes:
                if write["path"] != LOGIN_PATH:
                    yield registry, write

    # What is there.

    def there(self) -> Iterator[tuple[SpaceId, Space]]:
        """The spaces that commands were sent for and that must be there."""
        named = {
            (command.registry, command.space)
            for source, command in self.evidence.records.items()
            if command is not None and source not in self.evidence.odd
        }
        for where, space in sorted(self.final.items()):
            if space.exists and where in named:
                yield where, space

    def harbor_is_as_the_answers_say(self) -> None:
        for where, space in self.final.items():
            found = self.evidence.harbor.get(where)
            if (found is not None) != space.exists:
                self.breach("harbor", f"{where} is there: {found is not None}")
            elif found is not None:
                self.compare_with_harbor(where, space, found)
        for where in self.evidence.harbor.keys() - self.final.keys():
            self.breach("harbor", f"{where} is there, and nobody wanted it")

    def compare_with_harbor(self, where: SpaceId, space: Space, found: dict[str, Any]) -> None:
        got = {"visibility": found["visibility"], "workspaces": sorted(found["robots"])}
        if got != space.view():
            self.breach("harbor", f"{where} is {got}, not {space.view()}")
        if space.quota_bytes is not None and found["quota_bytes"] != space.quota_bytes:
            self.breach(
                "harbor", f"{where} has quota {found['quota_bytes']}, not {space.quota_bytes}"
            )
        if where not in self.evidence.first and found["foreign"]:
            self.breach("harbor", f"{where} has foreign robots {found['foreign']}")

    def redis_says_what_harbor_says(self) -> None:
        there = dict(self.there())
        for where in there:
            found, real = self.evidence.redis.get(where), self.evidence.harbor.get(where)
            wanted = real and {name: real[name] for name in ("id", "visibility", "robots")}
            if found is not None and found != wanted:
                self.breach("redis", f"{where} is {found}, not {wanted}")
        for registry in REGISTRIES:
            # A project that others made is known only once a command or a lookup has read it.
            ours = {name for (owner, name) in there if owner == registry}
            known = self.evidence.redis_spaces.get(registry, set())
            unknown = {
                name
                for owner, name in self.evidence.first
                if owner == registry and not self.final[owner, name].bound
            }
            self.compare_sets("redis", f"spaces of {registry}", known, ours, unknown)
            public = {
                name for name in ours if self.final[registry, name].visibility == "PUBLIC"
            }
            known = self.evidence.redis_public.get(registry, set())
            self.compare_sets("redis", f"public spaces of {registry}", known, public, unknown)
        self.redis_has_all_bindings(there)

    def compare_sets(
        self, rule: str, what: str, got: set[str], wanted: set[str], may_lack: Iterable[str]
    ) -> None:
        if got - wanted or wanted - got - set(may_lack):
            self.breach(
                rule, f"{what}: too many {sorted(got - wanted)}, missing {sorted(wanted - got)}"
            )

    def redis_has_all_bindings(self, there: dict[SpaceId, Space]) -> None:
        wanted: dict[str, set[SpaceId]] = defaultdict(set)
        for where, space in there.items():
            for workspace in space.bound:
                wanted[workspace].add(where)
        got = {name: spaces for name, spaces in self.evidence.redis_workspaces.items() if spaces}
        if got != wanted:
            for name in sorted(got.keys() | wanted.keys()):
                if got.get(name, set()) != wanted.get(name, set()):
                    lists = sorted(got.get(name, set())), sorted(wanted.get(name, set()))
                    self.breach("redis", f"bindings of {name}: {lists[0]}, not {lists[1]}")

    def topic_of_spaces_says_what_harbor_says(self) -> None:
        last: dict[str, Any] = {}
        versions: dict[str, int] = {}
        for record in self.evidence.spaces:
            key, value = record["key"], record["value"]
            last[key] = value
            if value is not None:
                if value["version"] <= versions.get(key, 0):
                    self.breach("berth.spaces", f"{key}: version {value['version']} comes late")
                versions[key] = value["version"]
        for where, space in self.final.items():
            state = last.get("/".join(where))
            if state is None:
                if space.exists and where not in self.evidence.first:
                    self.breach("berth.spaces", f"{where} isn't there")
                continue
            self.compare_state(where, space, state)

    def compare_state(self, where: SpaceId, space: Space, state: dict[str, Any]) -> None:
        real = self.evidence.harbor.get(where)
        robots = {one["workspace"]: one["robot_id"] for one in state["bindings"]}
        got = {"id": state["project_id"], "visibility": state["visibility"], "robots": robots}
        wanted = real and {name: real[name] for name in ("id", "visibility", "robots")}
        if not space.exists or got != wanted:
            self.breach("berth.spaces", f"{where} is {got}, not {wanted}")

    def nothing_foreign_is_touched(self) -> None:
        for where, before in self.evidence.untouched_before.items():
            after = self.evidence.untouched_after.get(where)
            if before != after:
                self.breach("foreign", f"{where} was {before} and is {after}")
        if not all((name, UNTOUCHED) in self.evidence.untouched_before for name in REGISTRIES):
            self.breach("foreign", "nothing was looked at")

    def credentials_pull(self) -> None:
        for where, space in self.there():
            for workspace in space.bound:
                if not self.evidence.pulls.get((workspace, where), False):
                    self.breach("credential", f"{workspace} can't pull from {where}")

    def everything_is_committed(self) -> None:
        for place, (committed, end) in self.evidence.offsets.items():
            if committed != end and end > 0:
                self.breach("offset", f"{place}: {committed} is committed, and the end is {end}")


def source_of(value: dict[str, Any]) -> Source:
    source = value["source"]
    return source["topic"], source["partition"], source["offset"]


def shown(state: Optional[dict[str, Any]]) -> Optional[dict[str, Any]]:
    """Of a space's state in a record, what the reference has too."""
    if state is None:
        return None
    return {"visibility": state["visibility"], "workspaces": sorted(state["workspaces"])}


def time_ms(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000


def check(evidence: Evidence) -> list[Breach]:
    return Checker(evidence).run()
