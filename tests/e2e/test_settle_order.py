# SPDX-License-Identifier: Apache-2.0
"""Commands of a partition are settled in any order; an unclean stop, or another owner, repeats none
of those that were settled."""

from collections import Counter
from typing import Any

from run import run_tests
from stage import Worker, wait_until
from workload import StageCase, answers, wait_for_answers

# Creating robots is what Harbor does not come back from: who binds is stuck, who creates is not.
STUCK_ROUTE = "POST /robots"
CREATED_ROUTE = "POST /projects"
BEHIND = 20
SOON_S = 60


class Stuck(StageCase):
    """One command is stuck, those behind it in its partition are answered."""

    partitions = 1

    def setUp(self) -> None:
        super().setUp()
        self.prepare()
        self.worker = self.stage.add_worker()
        self.stage.send("create-space", "--registry", "alpha", "--space", "stuck")
        self.fault(away="hang", route=STUCK_ROUTE)
        self.stage.send_batch(
            ["bind-workspace --registry alpha --space stuck --workspace alpha --actor e2e"]
            + [
                f"create-space --registry alpha --space space-{number:03} --actor e2e"
                for number in range(BEHIND)
            ]
        )
        # The one in front of them is still stuck: in order there would be one answer only.
        wait_for_answers(self.stage, 1 + BEHIND)
        self.assertEqual(self.bound(), [])

    def prepare(self) -> None:
        """Before there is a worker."""

    def bound(self) -> list[dict[str, Any]]:
        return [one for one in answers(self.stage) if one["command"] == "BindWorkspace"]

    def fault(self, **fault: str) -> None:
        self.stage.sandbox.admin("PUT", "alpha", "faults", fault)

    def asked(self, route: str) -> int:
        return self.stage.sandbox.counters().get(route, 0)


class SettleOrder(Stuck):
    def assert_only_the_stuck_one_is_done_again(self, worker: Worker) -> None:
        wait_until("the stuck one is tried again", lambda: self.asked(STUCK_ROUTE) > 0, SOON_S)
        self.fault(away="no", route="")
        wait_for_answers(self.stage, 2 + BEHIND)
        sources = Counter(
            (one["source"]["topic"], one["source"]["partition"], one["source"]["offset"])
            for one in answers(self.stage)
        )
        self.assertEqual(set(sources.values()), {1}, "answered twice")
        self.assertEqual(len(sources), 2 + BEHIND)
        self.assertEqual([one["code"] for one in self.bound()], ["workspace.bound"])
        self.assertEqual(self.asked(CREATED_ROUTE), 0, "Harbor was asked for a settled one")
        self.assertEqual(len(self.stage.tail("audit")), 2 + BEHIND)
        self.assertNotIn("partition.map_ignored", worker.log.read_text())
        self.assertEqual(self.stage.bound_in_harbor("stuck"), ["alpha"])

    def test_after_a_kill_only_what_was_stuck_is_done_again(self) -> None:
        self.worker.kill()
        self.stage.sandbox.reset_counters()
        self.worker.start_again()
        self.assert_only_the_stuck_one_is_done_again(self.worker)

    def test_another_worker_goes_on_with_what_was_stuck_and_nothing_else(self) -> None:
        self.worker.kill()
        self.stage.sandbox.reset_counters()
        other = self.stage.add_worker("worker-2")
        self.assert_only_the_stuck_one_is_done_again(other)


class LittleMetadata(Stuck):
    """Brokers that take no map."""

    def prepare(self) -> None:
        with open(self.stage.kafka.properties, "a") as properties:
            properties.write("offset.metadata.max.bytes=10\n")
        self.stage.kafka.restart()

    def test_without_maps_work_goes_on_and_a_kill_repeats_answers_but_no_work(self) -> None:
        self.assertIn("partition.map_refused", self.worker.log.read_text())
        self.worker.kill()
        self.stage.sandbox.reset_counters()
        self.worker.start_again()
        wait_until("the stuck one is tried again", lambda: self.asked(STUCK_ROUTE) > 0, SOON_S)
        self.fault(away="no", route="")
        wait_until("the stuck one is done", lambda: self.bound() != [], SOON_S, pause_s=0.1)
        by_source: dict[int, set[str]] = {}
        for one in answers(self.stage):
            by_source.setdefault(one["source"]["offset"], set()).add(str(one))
        self.assertEqual(len(by_source), 2 + BEHIND)
        self.assertEqual({len(said) for said in by_source.values()}, {1}, "answers differ")
        self.assertEqual(self.asked(CREATED_ROUTE), 0, "Harbor was asked for a settled one")


if __name__ == "__main__":
    run_tests(StageCase)
