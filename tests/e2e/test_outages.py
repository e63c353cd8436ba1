# SPDX-License-Identifier: Apache-2.0
"""What berth stands on goes away for a while in the middle of work, and comes back."""

import time
import urllib.error
import urllib.request

from run import run_tests
from service import ServiceError, wait_until
from workload import SETTLE_TIMEOUT_S, StageCase, answers, make_workload, wait_for_answers

COMMANDS = 150
# Answers that are in before the trouble begins: it comes in the middle of work.
ANSWERED_BEFORE = 10
# Longer than any single request or reply is waited for, shorter than the lease and the age budget.
OUTAGE_S = 6
# A transaction that is under way for 10 s is told of; a busy machine is given more.
FROZEN_SEEN_S = 60
# Slow enough that work is still under way when the trouble begins.
HARBOR_LATENCY_MS = 200


class Outages(StageCase):
    def setUp(self) -> None:
        super().setUp()
        self.stage.sandbox.faults(latency_ms=HARBOR_LATENCY_MS)
        self.worker = self.stage.add_worker()
        self.load = make_workload(COMMANDS, seed=3)
        self.stage.send_batch(self.load.lines)
        wait_for_answers(self.stage, ANSWERED_BEFORE)

    def assert_under_way(self) -> None:
        self.assertLess(len(answers(self.stage)), COMMANDS, "the trouble came too late")

    def let_the_outage_last(self) -> None:
        """An outage is a length of time: this waits for nothing but that."""
        time.sleep(OUTAGE_S)

    def harbor_is_away(self, how: str) -> None:
        self.stage.sandbox.faults(away=how)
        self.let_the_outage_last()
        self.assert_under_way()
        self.stage.sandbox.faults()
        self.assert_promises(self.load)

    def test_harbor_refuses_connections_for_a_while_and_everything_is_done(self) -> None:
        self.harbor_is_away("refuse")

    def test_harbor_resets_connections_for_a_while_and_everything_is_done(self) -> None:
        self.harbor_is_away("reset")

    def test_harbor_answers_nothing_for_a_while_and_everything_is_done(self) -> None:
        self.harbor_is_away("hang")

    def test_redis_is_frozen_for_a_while_and_everything_is_done(self) -> None:
        self.stage.redis.freeze()
        self.let_the_outage_last()
        self.assert_under_way()
        self.stage.redis.thaw()
        self.assert_promises(self.load)

    def test_redis_is_restarted_with_its_data_and_everything_is_done(self) -> None:
        self.stage.redis.restart()
        self.assert_under_way()
        self.assert_promises(self.load)

    def test_redis_is_killed_and_started_with_its_data_and_everything_is_done(self) -> None:
        self.stage.redis.kill()
        self.let_the_outage_last()
        self.stage.redis.start_again()
        self.assert_under_way()
        self.assert_promises(self.load)

    def all_is_answered(self) -> bool:
        """Without a complaint while the topics have no leaders: a broker that thaws first works, then
        hears that the controller has given it up, and works again when it has registered anew."""
        try:
            return len(answers(self.stage)) >= COMMANDS
        except ServiceError:
            return False

    def not_ready_because(self) -> str:
        url = f"http://127.0.0.1:{self.worker.admin_port}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return ""
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def test_kafka_is_frozen_until_readyz_says_so_and_everything_is_done(self) -> None:
        self.stage.kafka.freeze()
        wait_until(
            "the transaction in /readyz",
            lambda: "kafka publisher: its transaction is under way" in self.not_ready_because(),
            FROZEN_SEEN_S,
            pause_s=0.2,
        )
        wait_until(
            "a line in the log",
            lambda: "publisher.slow" in self.worker.log.read_text(),
            FROZEN_SEEN_S,
        )
        self.assertEqual(self.worker.admin_status("/livez"), 200, "it may still come back")
        self.stage.kafka.thaw()
        wait_until("all answers", self.all_is_answered, SETTLE_TIMEOUT_S, pause_s=0.1)
        self.assert_promises(self.load)
        wait_until("it is ready again", lambda: self.not_ready_because() == "", FROZEN_SEEN_S)

    def test_kafka_is_restarted_and_everything_is_done(self) -> None:
        self.stage.kafka.restart()
        self.assert_under_way()
        self.assert_promises(self.load)

    def test_kafka_is_killed_and_started_again_and_everything_is_done(self) -> None:
        self.stage.kafka.kill()
        self.stage.kafka.start_again()
        self.assert_under_way()
        self.assert_promises(self.load)


if __name__ == "__main__":
    run_tests(StageCase)
