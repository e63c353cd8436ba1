# SPDX-License-Identifier: Apache-2.0
"""Each rule of the checks finds what breaks it, and nothing in a world where all went well."""

import copy
import unittest
import uuid
from datetime import datetime, timezone
from typing import Any, Callable

from checks import Breach, Evidence, check
from commands import (
    FOREIGN_WORKSPACE,
    NAMESAKE,
    ODD_KINDS,
    REGISTRIES,
    ROBOTS,
    UNTOUCHED,
    Commands,
    Outgoing,
    first_spaces,
)
from reference import FAILED, REJECTED, SUCCEEDED, Command, Expected, Source, Space, apply

SENT = 1000
PARTITIONS = 3
BEGAN_MS = 1_700_000_000_000
STEP_MS = 100
ROBOT_IDS_FROM = 10_000


class World:
    """What a berth without a fault would leave, made from the reference."""

    def __init__(self, seed: int) -> None:
        self.evidence = Evidence(first=first_spaces())
        self.spaces = first_spaces()
        self.commands = Commands(seed)
        self.commands.now_ms = BEGAN_MS
        self.offsets: dict[tuple[str, int], int] = {}
        self.answers: dict[str, tuple[Any, dict[str, Any]]] = {}
        self.now_ms = BEGAN_MS
        self.evidence.writes = {registry: [] for registry in REGISTRIES}
        for _ in range(SENT):
            self.receive(self.commands.make())
        self.finish()
        by_partition = sorted(self.evidence.records.items(), key=lambda one: one[0])
        self.evidence.records = dict(by_partition)

    def receive(self, record: Outgoing) -> None:
        self.now_ms += STEP_MS
        number = uuid.uuid5(uuid.NAMESPACE_URL, record.key).int % PARTITIONS
        place = (record.topic, number)
        offset = self.offsets.get(place, 0)
        self.offsets[place] = offset + 1
        source: Source = (*place, offset)
        self.evidence.records[source] = record.command
        if record.command is None:
            names = ("topic", "partition", "offset")
            headers = {f"berth-dlq-{name}": str(part) for name, part in zip(names, source)}
            headers["berth-dlq-reason"] = "record.undecodable"
            self.evidence.dlq.append({"key": record.key, "headers": headers})
            return
        self.evidence.seen[source] = (self.now_ms + 50) / 1000
        if record.odd is not None:
            self.evidence.odd[source] = record.odd
            self.answer(source, Expected(REJECTED, frozenset({ODD_KINDS[record.odd]})), None)
            return
        self.do(source, record.command)

    def do(self, source: Source, command: Command) -> None:
        if command.command_id in self.answers:
            content, answer = self.answers[command.command_id]
            if content == command.content():
                self.publish(source, answer, {"berth-replayed": "true"})
            else:
                code = frozenset({"command.id_reused"})
                self.answer(source, Expected(REJECTED, code), None)
            return
        space = self.spaces.setdefault((command.registry, command.space), Space())
        before = self.state_of(space)
        answer = self.answer(source, apply(command, space), space)
        self.answers[command.command_id] = (command.content(), answer)
        self.evidence.audit.append(
            {
                "value": {
                    "command_id": command.command_id,
                    "before": before,
                    "after": self.state_of(space),
                    **{name: answer[name] for name in ("outcome", "code")},
                }
            }
        )
        write = {
            "request_id": f"{command.command_id}/1.1",
            "path": "/api/v2.0/projects",
            "at_ms": self.now_ms - 10,
        }
        self.evidence.writes[command.registry].append(write)

    @staticmethod
    def state_of(space: Space) -> Any:
        view = space.view()
        return view and {**view, "quota_bytes": space.quota_bytes, "project_id": 1}

    def answer(self, source: Source, expected: Expected, space: Any) -> dict[str, Any]:
        changes = expected.bindings or {}
        value = {
            "outcome": expected.outcome,
            "code": sorted(expected.codes)[0],
            "changed": expected.changed,
            "bindings": [{"workspace": one, "change": how} for one, how in changes.items()],
            "space_state": self.state_of(space) if space is not None else None,
            "finished_at": self.time_text(),
        }
        self.publish(source, value, {})
        return value

    def time_text(self) -> str:
        when = datetime.fromtimestamp(self.now_ms / 1000, timezone.utc)
        return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def publish(self, source: Source, value: dict[str, Any], headers: dict[str, str]) -> None:
        names = ("topic", "partition", "offset")
        record = {**value, "source": dict(zip(names, source))}
        self.evidence.results.append({"value": record, "headers": headers})

    def finish(self) -> None:
        evidence = self.evidence
        evidence.offsets = {place: (end, end) for place, end in self.offsets.items()}
        named = {
            (one.registry, one.space)
            for source, one in evidence.records.items()
            if one is not None and source not in evidence.odd
        }
        for registry in REGISTRIES:
            evidence.redis_spaces[registry] = set()
            evidence.redis_public[registry] = set()
            evidence.untouched_before[registry, UNTOUCHED] = "as it was"
        evidence.untouched_after = dict(evidence.untouched_before)
        robot = ROBOT_IDS_FROM
        for number, (where, space) in enumerate(sorted(self.spaces.items())):
            robots = {name: robot + place for place, name in enumerate(sorted(space.bound))}
            robot += len(robots)
            if space.exists:
                self.add_space(where, space, number + 1, robots, where in named)
            else:
                evidence.spaces.append({"key": "/".join(where), "value": None})

    def add_space(self, where: Any, space: Space, number: int, robots: Any, named: bool) -> None:
        evidence = self.evidence
        seen = {"id": number, "visibility": space.visibility, "robots": robots}
        quota = -1 if space.quota_bytes is None else space.quota_bytes
        foreign = sorted(space.foreign)
        evidence.harbor[where] = {**seen, "foreign": foreign, "quota_bytes": quota}
        if not named:
            return
        evidence.redis[where] = {**seen, "robots": dict(robots)}
        evidence.redis_spaces[where[0]].add(where[1])
        if space.visibility == "PUBLIC":
            evidence.redis_public[where[0]].add(where[1])
        bindings = [{"workspace": name, "robot_id": one} for name, one in robots.items()]
        state = {
            "project_id": number, "visibility": space.visibility, "bindings": bindings,
            "version": 7,
        }  # fmt: skip
        evidence.spaces.append({"key": "/".join(where), "value": state})
        for workspace in space.bound:
            evidence.redis_workspaces.setdefault(workspace, set()).add(where)
            evidence.pulls[workspace, where] = True


WORLD = World(seed=3)


def a_bound_space(evidence: Evidence) -> Any:
    return next(where for where, one in sorted(evidence.harbor.items()) if one["robots"])


def answer_where(evidence: Evidence, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    return next(record for record in evidence.results if true(record))


def replayed(record: dict[str, Any]) -> bool:
    return "berth-replayed" in record["headers"]


class Checks(unittest.TestCase):
    def setUp(self) -> None:
        self.evidence = copy.deepcopy(WORLD.evidence)

    def found(self) -> list[Breach]:
        return check(self.evidence)

    def assert_found(self, rule: str) -> None:
        self.assertIn(rule, {breach.rule for breach in self.found()})

    def test_a_world_where_all_went_well_has_no_breach(self) -> None:
        self.assertEqual(self.found(), [])

    def test_the_world_has_everything_that_the_rules_are_about(self) -> None:
        outcomes = {record["value"]["code"] for record in self.evidence.results}
        for code in ("space.adopted", "space.not_empty", "command.id_reused", "space.bound"):
            self.assertIn(code, outcomes)
        self.assertTrue(any(replayed(record) for record in self.evidence.results))
        self.assertTrue(self.evidence.dlq)
        changes = [one["change"] for record in self.evidence.results
                   for one in record["value"]["bindings"]]  # fmt: skip
        self.assertIn(FAILED, changes, FOREIGN_WORKSPACE)
        self.assertIn(("alpha", NAMESAKE), self.evidence.harbor)
        self.assertIn(("alpha", ROBOTS), self.evidence.harbor)

    def test_an_answer_that_is_missing(self) -> None:
        del self.evidence.results[40]
        self.assert_found("lost")

    def test_an_answer_that_is_there_twice(self) -> None:
        self.evidence.results.append(self.evidence.results[40])
        self.assert_found("doubled")

    def test_an_answer_to_what_nobody_sent(self) -> None:
        record = copy.deepcopy(self.evidence.results[40])
        record["value"]["source"]["offset"] = 99_999
        self.evidence.results.append(record)
        self.assert_found("doubled")

    def test_another_outcome_than_the_order_of_the_space_gives(self) -> None:
        record = answer_where(self.evidence, lambda one: one["value"]["outcome"] == SUCCEEDED)
        record["value"]["outcome"] = "FAILED"
        self.assert_found("answer")

    def test_a_change_that_was_none(self) -> None:
        record = answer_where(self.evidence, lambda one: one["value"]["changed"])
        record["value"]["changed"] = False
        self.assert_found("answer")

    def test_a_binding_that_is_told_wrongly(self) -> None:
        record = answer_where(self.evidence, lambda one: bool(one["value"]["bindings"]))
        record["value"]["bindings"][0]["change"] = "UNCHANGED?"
        self.assert_found("answer")

    def test_a_state_that_is_told_wrongly(self) -> None:
        record = answer_where(self.evidence, lambda one: one["value"]["space_state"] is not None)
        record["value"]["space_state"]["workspaces"] = ["team-nobody"]
        self.assert_found("answer")

    def test_two_answers_to_one_id_that_differ(self) -> None:
        record = answer_where(self.evidence, replayed)
        record["value"]["finished_at"] = "2023-11-14T22:13:20.001Z"
        self.assert_found("differing")

    def test_an_answer_that_was_worked_out_twice(self) -> None:
        answer_where(self.evidence, replayed)["headers"].clear()
        self.assert_found("differing")

    def test_a_dead_letter_without_a_reason_in_what_was_sent(self) -> None:
        record = copy.deepcopy(self.evidence.dlq[0])
        record["headers"]["berth-dlq-offset"] = "99999"
        self.evidence.dlq.append(record)
        self.assert_found("dead letter")

    def test_a_dead_letter_that_is_there_twice(self) -> None:
        self.evidence.dlq.append(self.evidence.dlq[0])
        self.assert_found("dead letter")

    def test_a_dead_letter_that_is_missing(self) -> None:
        self.evidence.dlq.pop()
        self.assert_found("dead letter")

    def test_a_change_that_is_audited_twice(self) -> None:
        self.evidence.audit.append(self.evidence.audit[5])
        self.assert_found("audit")

    def test_a_change_that_is_not_audited(self) -> None:
        del self.evidence.audit[5]
        self.assert_found("audit")

    def test_a_change_that_is_audited_wrongly(self) -> None:
        record = next(
            one for one in self.evidence.audit if one["value"]["before"] != one["value"]["after"]
        )
        record["value"]["after"] = record["value"]["before"]
        self.assert_found("audit")

    def test_a_write_after_the_answer(self) -> None:
        self.evidence.writes["alpha"][20]["at_ms"] += 10_000
        self.assert_found("write")

    def test_a_write_that_belongs_to_no_command(self) -> None:
        self.evidence.writes["alpha"].append(
            {"request_id": "", "path": "/api/v2.0/projects", "at_ms": BEGAN_MS}
        )
        self.assert_found("write")

    def test_a_login_that_is_no_command_s_is_fine(self) -> None:
        login = {"request_id": "", "path": "/c/login", "at_ms": BEGAN_MS}
        self.evidence.writes["alpha"].append(login)
        self.assertEqual(self.found(), [])

    def test_writes_that_nobody_remembers(self) -> None:
        self.evidence.writes_dropped = 1
        self.assert_found("write")

    def test_a_write_of_an_earlier_command_behind_a_later_one(self) -> None:
        hot = [one for one in self.evidence.writes["alpha"] if self.is_hot(one)]
        hot[0]["request_id"], hot[9]["request_id"] = hot[9]["request_id"], hot[0]["request_id"]
        times = (hot[0]["at_ms"], hot[9]["at_ms"])
        for record in self.evidence.results:  # So that only their order is wrong.
            record["value"]["finished_at"] = "2033-11-14T22:13:20.000Z"
        self.evidence.seen.clear()
        self.assertLess(*times)
        self.assertEqual({breach.rule for breach in self.found()}, {"write"})

    def is_hot(self, write: dict[str, Any]) -> bool:
        command_id = write["request_id"].split("/")[0]
        return any(
            one is not None and one.command_id == command_id and one.space == "hot-00"
            for one in self.evidence.records.values()
        )

    def test_a_space_that_is_missing_in_harbor(self) -> None:
        del self.evidence.harbor[a_bound_space(self.evidence)]
        self.assert_found("harbor")

    def test_a_space_that_nobody_wanted(self) -> None:
        some = self.evidence.harbor[a_bound_space(self.evidence)]
        self.evidence.harbor["alpha", "surprise"] = some
        self.assert_found("harbor")

    def test_a_robot_that_is_missing_in_harbor(self) -> None:
        self.evidence.harbor[a_bound_space(self.evidence)]["robots"].popitem()
        self.assert_found("harbor")

    def test_another_quota_in_harbor(self) -> None:
        where = next(one for one, space in WORLD.spaces.items() if space.quota_bytes)
        self.evidence.harbor[where]["quota_bytes"] = -1
        self.assert_found("harbor")

    def test_another_robot_in_redis(self) -> None:
        robots = self.evidence.redis[a_bound_space(self.evidence)]["robots"]
        robots[next(iter(robots))] += 1
        self.assert_found("redis")

    def test_a_space_that_is_missing_in_redis(self) -> None:
        where = a_bound_space(self.evidence)
        self.evidence.redis_spaces[where[0]].discard(where[1])
        self.assert_found("redis")

    def test_a_space_that_is_public_in_redis_alone(self) -> None:
        where = next(
            one for one, space in self.evidence.harbor.items() if space["visibility"] == "PRIVATE"
        )
        self.evidence.redis_public[where[0]].add(where[1])
        self.assert_found("redis")

    def test_a_binding_that_is_missing_in_redis(self) -> None:
        next(iter(self.evidence.redis_workspaces.values())).pop()
        self.assert_found("redis")

    def test_a_binding_that_is_left_over_in_redis(self) -> None:
        self.evidence.redis_workspaces["team-gone"] = {("alpha", "space-00")}
        self.assert_found("redis")

    def test_another_state_on_the_topic_of_spaces(self) -> None:
        states = [one["value"] for one in self.evidence.spaces if one["value"]]
        next(state for state in states if state["bindings"])["bindings"].pop()
        self.assert_found("berth.spaces")

    def test_a_tombstone_that_is_missing(self) -> None:
        gone = next(one for one in self.evidence.spaces if one["value"] is None)
        gone["value"] = {"project_id": 1, "visibility": "PUBLIC", "bindings": [], "version": 9}
        self.assert_found("berth.spaces")

    def test_a_version_that_comes_late(self) -> None:
        record = next(one for one in self.evidence.spaces if one["value"])
        self.evidence.spaces.append(copy.deepcopy(record))
        self.assert_found("berth.spaces")

    def test_something_foreign_that_was_touched(self) -> None:
        self.evidence.untouched_after["alpha", UNTOUCHED] = "otherwise"
        self.assert_found("foreign")

    def test_a_credential_that_does_not_pull(self) -> None:
        self.evidence.pulls[next(iter(self.evidence.pulls))] = False
        self.assert_found("credential")

    def test_an_offset_that_is_not_committed(self) -> None:
        place, (end, _) = next(iter(self.evidence.offsets.items()))
        self.evidence.offsets[place] = (end - 1, end)
        self.assert_found("offset")


if __name__ == "__main__":
    unittest.main(verbosity=2)
