# SPDX-License-Identifier: Apache-2.0
"""Many commands with a known end, and the four promises checked after any trouble:

* every command has exactly one answer that a read_committed reader sees, matched by its source;
* all of them succeeded, since nothing was asked that can't be done;
* Harbor is as commanded;
* Redis says what Harbor says.
"""

import random
import unittest
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Optional

from stage import Stage, wait_until

WORKSPACES = [f"team-{name}" for name in ("ant", "bee", "cat", "dog", "elk")]
COMMANDS_A_SPACE = 5
SETTLE_TIMEOUT_S = 120


@dataclass
class Workload:
    """Commands in the order in which they are sent, and what must be there in the end."""

    lines: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    # space -> the workspaces bound to it in the end; None: it is deleted.
    expected: dict[str, Optional[set[str]]] = field(default_factory=dict)

    def add(self, verb: str, space: str, options: str) -> None:
        command_id = str(uuid.uuid4())
        self.ids.append(command_id)
        line = f"{verb} --registry alpha --space {space} --actor e2e --id {command_id} {options}"
        self.lines.append(line.strip())


def make_workload(commands: int, seed: int) -> Workload:
    """Spaces that are created, bound twice, unbound once and in part deleted; all spaces take
    their turns, so that many lanes are busy at any moment."""
    chosen = random.Random(seed)
    load = Workload()
    spaces = [f"space-{number:03}" for number in range(commands // COMMANDS_A_SPACE)]
    bound: dict[str, set[str]] = {space: set() for space in spaces}
    for space in spaces:
        load.add("create-space", space, chosen.choice(["--private", "--public"]))
    for _ in range(2):
        for space in spaces:
            some = set(chosen.sample(WORKSPACES, 2))
            bound[space] |= some
            load.add("bind-workspace", space, options_of(some))
    for space in spaces:
        one = chosen.choice(sorted(bound[space]))
        bound[space].discard(one)
        load.add("unbind-workspace", space, options_of({one}))
    for space in spaces:
        if chosen.random() < 0.3:
            load.add("delete-space", space, "--unbind")
            load.expected[space] = None
        else:
            another = chosen.choice(WORKSPACES)
            load.add("bind-workspace", space, options_of({another}))
            load.expected[space] = bound[space] | {another}
    return load


def options_of(workspaces: set[str]) -> str:
    return " ".join(f"--workspace {workspace}" for workspace in sorted(workspaces))


def answers(stage: Stage) -> list[dict[str, Any]]:
    """All results, as a read_committed reader sees them."""
    return [record["value"] for record in stage.tail("results")]


def wait_for_answers(stage: Stage, count: int, timeout_s: float = SETTLE_TIMEOUT_S) -> None:
    wait_until(f"{count} answers", lambda: len(answers(stage)) >= count, timeout_s, pause_s=0.1)


class StageCase(unittest.TestCase):
    """A test on a stage of its own; when it fails, everybody's last lines are shown."""

    build: Any = None
    partitions = 3
    quick_leases = False
    secured = False

    def setUp(self) -> None:
        self.stage = self.enterContext(
            Stage(
                self.build,
                self.partitions,
                quick_leases=self.quick_leases,
                secured=self.secured,
            )
        )
        self.addCleanup(self.show_logs_of_failure)

    def show_logs_of_failure(self) -> None:
        # Not _outcome.success, which is true within each cleanup.
        result = self._outcome.result  # type: ignore[attr-defined]
        if any(test is self for test, _ in [*result.errors, *result.failures]):
            print(self.stage.logs(), flush=True)

    def assert_promises(self, load: Workload) -> None:
        """Waits until everything is answered, then checks all four promises."""
        wait_for_answers(self.stage, len(load.ids))
        found = answers(self.stage)
        self.assert_each_answered_once(load, found)
        self.assert_all_succeeded(found)
        self.assert_harbor_as_commanded(load)
        self.assert_redis_as_harbor(load)

    def assert_each_answered_once(self, load: Workload, found: list[dict[str, Any]]) -> None:
        places = Counter(tuple(sorted(one["source"].items())) for one in found)
        twice = {place: count for place, count in places.items() if count > 1}
        self.assertEqual(twice, {}, "records with more than one answer")
        self.assertEqual(Counter(one["command_id"] for one in found), Counter(load.ids))

    def assert_all_succeeded(self, found: list[dict[str, Any]]) -> None:
        others = [one for one in found if one["outcome"] != "SUCCEEDED"]
        self.assertEqual(others, [])

    def assert_harbor_as_commanded(self, load: Workload) -> None:
        for space, workspaces in load.expected.items():
            bound = self.stage.bound_in_harbor(space)
            if workspaces is None:
                self.assertIsNone(bound, f"{space} is still there")
            else:
                self.assertEqual(bound, sorted(workspaces), space)

    def assert_redis_as_harbor(self, load: Workload) -> None:
        alive = {space: bound for space, bound in load.expected.items() if bound is not None}
        self.assertEqual(self.stage.spaces_in_redis(), sorted(alive))
        for workspace in WORKSPACES:
            spaces = sorted(f"alpha/{name}" for name, bound in alive.items() if workspace in bound)
            self.assertEqual(self.stage.spaces_of_workspace(workspace), spaces, workspace)
