# SPDX-License-Identifier: Apache-2.0
"""Where a worker goes on when Kafka doesn't know it any more, or has less than it knew: expired
offsets, a topic that was made anew, records that retention removed, an offset that was set back."""

import re
import urllib.error
import urllib.request
from typing import Any, Callable

import kafka_admin
from run import run_tests
from stage import Worker, wait_until
from workload import StageCase, answers, wait_for_answers

TOPIC = "berth.commands.alpha"
BASE_KEY = f"berth:v1:offset:{TOPIC}/0"
GROUP = "berth"
SOON_S = 30
BEFORE = 6
MEANWHILE = 4


class Offsets(StageCase):
    partitions = 1

    def setUp(self) -> None:
        super().setUp()
        self.sent = 0
        self.worker = self.stage.add_worker()

    def send(self, count: int) -> None:
        """Creates so many spaces, without waiting."""
        first = self.sent
        self.sent += count
        self.stage.send_batch(
            [
                f"create-space --registry alpha --space space-{number:03} --actor e2e"
                for number in range(first, self.sent)
            ]
        )

    def stop(self) -> None:
        """An orderly end, after the last answer was told to Redis."""
        wait_until("the base in Redis", lambda: self.base() == self.sent, SOON_S, pause_s=0.1)
        self.worker.terminate()
        self.assertEqual(self.worker.wait_end(), 0)

    def base(self) -> int:
        return int(self.stage.redis.ask("GET", BASE_KEY) or -1)

    def do_some(self) -> None:
        """Some commands, done, and the worker gone."""
        self.send(BEFORE)
        wait_for_answers(self.stage, BEFORE)
        self.stop()

    def expire_offsets(self) -> None:
        """What Kafka does a week after the last member left the group."""
        self.when_nobody_is_in_the_group(kafka_admin.delete_group, GROUP)

    def when_nobody_is_in_the_group(self, change: Callable[..., None], *what: Any) -> None:
        """A member that has left is in the group for a moment longer."""

        def changed() -> bool:
            try:
                change(self.stage.kafka.port, *what)
            except kafka_admin.KafkaError as error:
                if error.code not in kafka_admin.SOMEBODY_IS_IN_IT:
                    raise
                return False
            return True

        wait_until("nobody is in the group", changed, SOON_S, pause_s=0.1)

    def log(self) -> str:
        return self.worker.log.read_text()

    def started_from(self) -> list[tuple[int, str]]:
        """Where the commands' partition started each time, and what said so."""
        found = re.findall(rf"partition\.gained topic={TOPIC} .*offset=(\d+) from=(\w+)", self.log())
        return [(int(offset), origin) for offset, origin in found]

    def readiness(self, worker: Worker) -> str:
        try:
            url = f"http://127.0.0.1:{worker.admin_port}/readyz"
            with urllib.request.urlopen(url, timeout=5) as reply:
                return f"{reply.status} {reply.read().decode()}"
        except urllib.error.HTTPError as error:
            return f"{error.code} {error.read().decode()}"
        except urllib.error.URLError:
            return "not up yet"

    def assert_each_answered_once_and_done(self) -> None:
        wait_for_answers(self.stage, self.sent)
        found = answers(self.stage)
        spaces = [f"space-{number:03}" for number in range(self.sent)]
        self.assertEqual(sorted(one["space"] for one in found), spaces)
        self.assertEqual({one["code"] for one in found}, {"space.created"})
        self.assertEqual(self.stage.spaces_in_redis(), spaces)
        audited = [record["value"]["space"] for record in self.stage.tail("audit")]
        self.assertEqual(sorted(audited), spaces)

    def test_expired_offsets_replay_nothing_and_what_came_meanwhile_is_done(self) -> None:
        self.do_some()
        self.expire_offsets()
        self.send(MEANWHILE)
        self.worker.start_again()
        self.assert_each_answered_once_and_done()
        self.assertEqual(self.started_from(), [(0, "start"), (BEFORE, "base")])

    def test_a_restart_goes_on_at_the_committed_offset(self) -> None:
        self.do_some()
        self.send(MEANWHILE)
        self.worker.start_again()
        self.assert_each_answered_once_and_done()
        self.assertEqual(self.started_from(), [(0, "start"), (BEFORE, "committed")])

    def test_while_redis_is_away_nothing_starts_and_then_it_starts_at_the_base(self) -> None:
        self.do_some()
        self.expire_offsets()
        self.send(MEANWHILE)
        self.stage.redis.stop()
        self.worker.launch()
        # Nothing is even asked of the group before the ledger was there once.
        wait_until(
            "the missing Redis in /readyz", lambda: "redis: " in self.readiness(self.worker), SOON_S
        )
        self.assertEqual(len(self.started_from()), 1)
        self.stage.redis.start_again()
        self.worker.wait_ready()
        self.assert_each_answered_once_and_done()
        self.assertEqual(self.started_from()[1], (BEFORE, "base"))

    def test_a_topic_made_anew_stops_the_partition_until_the_remedy_is_followed(self) -> None:
        self.do_some()
        kafka_admin.delete_topic(self.stage.kafka.port, TOPIC)
        self.stage.berth("topics", "--create", "--partitions", "1")
        self.worker.launch()
        remedy = f"berth offsets --partition {TOPIC}/0 --from start"
        wait_until("the remedy in /readyz", lambda: remedy in self.readiness(self.worker), SOON_S)
        self.assertTrue(self.readiness(self.worker).startswith("503"))
        self.assertRegex(
            self.log(), rf"partition\.stopped topic={TOPIC} partition=0 .*{re.escape(remedy)}"
        )
        self.stage.berth("send", "create-space", "--registry", "alpha", "--space", "after")
        self.assertIsNone(self.stage.project("after"), "a stopped partition isn't read")

        self.stage.berth("offsets", "--partition", f"{TOPIC}/0", "--from", "start", "--yes")
        wait_for_answers(self.stage, BEFORE + 1)
        self.assertIsNotNone(self.stage.project("after"))

    def test_records_that_retention_removed_are_said_to_be_lost(self) -> None:
        self.do_some()
        self.send(MEANWHILE)
        kafka_admin.delete_records(self.stage.kafka.port, TOPIC, 0, BEFORE + 3)
        self.worker.start_again()
        wait_for_answers(self.stage, BEFORE + MEANWHILE - 3)
        self.assertRegex(self.log(), rf"partition\.records_lost topic={TOPIC} partition=0 lost=3 ")
        self.assertEqual(self.started_from()[1], (BEFORE + 3, "committed"))

    def test_the_same_below_the_base_of_expired_offsets(self) -> None:
        self.do_some()
        self.expire_offsets()
        self.send(MEANWHILE)
        kafka_admin.delete_records(self.stage.kafka.port, TOPIC, 0, BEFORE + 1)
        self.worker.start_again()
        wait_for_answers(self.stage, BEFORE + MEANWHILE - 1)
        self.assertRegex(self.log(), rf"partition\.records_lost topic={TOPIC} partition=0 lost=1 ")
        self.assertEqual(self.started_from()[1], (BEFORE + 1, "base"))

    def test_an_offset_set_back_publishes_the_same_results_again_and_nothing_else(self) -> None:
        self.do_some()
        for command in self.commands():
            self.assertEqual(set(command) & {"result", "rest"}, {"result"}, "it has shrunk")
        self.stage.sandbox.reset_counters()
        before = self.stage.tail("results")
        self.when_nobody_is_in_the_group(kafka_admin.commit_offset, GROUP, TOPIC, 0, 0)
        self.worker.start_again()
        wait_for_answers(self.stage, 2 * BEFORE)
        after = self.stage.tail("results")
        self.assertEqual([event(one) for one in after], 2 * [event(one) for one in before])
        self.assertEqual(len(self.stage.tail("audit")), BEFORE)
        self.assertEqual(len(self.stage.tail("spaces")), BEFORE)
        self.assertEqual(sum(self.stage.sandbox.counters().values()), 0, "Harbor was asked")
        self.assertEqual(self.base(), BEFORE, "a base is never lowered")

    def commands(self) -> list[dict[str, str]]:
        redis = self.stage.redis
        return [redis.hash(key) for key in redis.ask("KEYS", "berth:v1:command:*")]


def event(record: dict[str, Any]) -> dict[str, Any]:
    """A record without the place where it is."""
    return {name: record[name] for name in ("key", "headers", "value")}


if __name__ == "__main__":
    run_tests(StageCase)
