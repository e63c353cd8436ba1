# SPDX-License-Identifier: Apache-2.0
"""Workers come and go in the middle of work: killed, told to end, joined by another."""

from run import run_tests
from stage import GRACE_S, SESSION_TIMEOUT_S, wait_until
from workload import StageCase, answers, make_workload, wait_for_answers

COMMANDS = 500
ANSWERED_BEFORE = 50
HARBOR_LATENCY_MS = 60
# What a start of the process, one look at the results and a busy machine may add. With the grace it is
# still well below a lease (15 s), which is what waiting without the grace would take.
MARGIN_S = 8


class Workers(StageCase):
    def start_work(self, commands: int) -> None:
        """Sends everything at once and returns in the middle of the work."""
        self.stage.sandbox.faults(latency_ms=HARBOR_LATENCY_MS)
        self.worker = self.stage.add_worker()
        self.load = make_workload(commands, seed=5)
        self.stage.send_batch(self.load.lines)
        wait_for_answers(self.stage, ANSWERED_BEFORE)

    def answered(self) -> int:
        return len(answers(self.stage))

    def answered_ids(self) -> set[str]:
        return {one["command_id"] for one in answers(self.stage)}

    def claimed_and_unanswered(self) -> set[str]:
        """What was in the killed worker's hands: the ledger knows it, and nobody has an answer."""
        unanswered = set(self.load.ids) - self.answered_ids()
        redis = self.stage.redis
        return {one for one in unanswered if redis.ask("EXISTS", f"berth:v1:command:{one}")}

    def test_a_worker_killed_in_the_middle_of_500_commands_goes_on_where_it_was(self) -> None:
        self.start_work(COMMANDS)
        self.worker.kill()
        before = self.answered()
        self.assertLess(before, COMMANDS, "the trouble came too late")
        in_flight = self.claimed_and_unanswered()
        self.assertGreater(len(in_flight), 0, "nothing was in the worker's hands")

        self.worker.launch()
        wait_until(
            "the first answer after the restart, within the session time-out",
            lambda: self.answered() > before,
            SESSION_TIMEOUT_S + MARGIN_S,
            pause_s=0.1,
        )
        wait_until(
            "answers to what was in the killed worker's hands, within the grace",
            lambda: in_flight <= self.answered_ids(),
            GRACE_S + MARGIN_S,
            pause_s=0.1,
        )
        self.assert_promises(self.load)

    def test_a_worker_that_is_told_to_end_loses_nothing(self) -> None:
        self.start_work(COMMANDS)
        self.worker.terminate()
        self.assertEqual(self.worker.wait_end(), 0, "an orderly end")
        self.assertLess(self.answered(), COMMANDS, "the trouble came too late")
        self.worker.start_again()
        self.assert_promises(self.load)

    def test_a_second_worker_joins_and_each_command_is_answered_once(self) -> None:
        self.start_work(COMMANDS)
        self.stage.add_worker("worker-2")
        self.assertLess(self.answered(), COMMANDS, "the trouble came too late")
        self.assert_promises(self.load)

    def test_one_of_two_workers_is_killed_for_good_and_the_other_does_everything(self) -> None:
        self.start_work(COMMANDS)
        self.stage.add_worker("worker-2")
        self.worker.kill()
        self.assertLess(self.answered(), COMMANDS, "the trouble came too late")
        self.assert_promises(self.load)


if __name__ == "__main__":
    run_tests(StageCase)
