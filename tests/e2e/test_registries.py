# SPDX-License-Identifier: Apache-2.0
"""One registry is sick, and another is well."""

import time

from run import run_tests
from stage import Worker
from workload import StageCase, answers, wait_for_answers


class SickRegistry(StageCase):
    """One registry is down for longer than a command may grow old; the other is well."""

    RETRY_AGE_S = 4
    COMMANDS = 20
    # What is promised is 5 seconds; this machine may be busy with other things.
    BACK_WITHIN_S = 20

    def setUp(self) -> None:
        super().setUp()
        worker = Worker(self.stage, "worker-1")
        self.stage.workers.append(worker)
        worker.choose_ports()
        text = worker.configuration.read_text()
        few = f"[berth]\nretry_attempts = 3\nretry_age_ms = {self.RETRY_AGE_S * 1000}\n"
        worker.configuration.write_text(text.replace("[berth]\n", few, 1))
        worker.launch()
        worker.wait_ready()
        self.worker = worker

    def outage(self, **faults: object) -> None:
        """With a crash of the worker in its middle."""
        self.stage.sandbox.faults(**faults)
        for number in range(self.COMMANDS):
            words = ("--registry", "alpha", "--space", f"sick-{number}")
            self.stage.berth("send", "create-space", *words)
        self.beside("before")
        time.sleep(self.RETRY_AGE_S)
        self.worker.kill()
        self.worker.start_again()
        self.beside("after")
        time.sleep(2 * self.RETRY_AGE_S)
        # A sick registry is no reason to take traffic away from this worker.
        self.assertEqual(self.worker.admin_status("/readyz"), 200)
        self.assertEqual(len(answers(self.stage)), 2, "only the other registry's were answered")
        self.stage.sandbox.faults()
        began = time.monotonic()
        wait_for_answers(self.stage, 2 + self.COMMANDS, self.BACK_WITHIN_S)
        print(f"{faults}: all done {time.monotonic() - began:.1f} s after its return", flush=True)
        self.assertEqual({one["code"] for one in answers(self.stage)}, {"space.created"})
        self.assertEqual(self.stage.tail("dlq"), [])
        log = self.worker.log.read_text(errors="replace")
        self.assertIn("breaker.opened", log)
        self.assertIn("breaker.closed", log)

    def beside(self, space: str) -> None:
        result = self.stage.send("create-space", "--registry", "beta", "--space", space)
        self.assertEqual(result["code"], "space.created")

    def test_a_registry_that_refuses_connections_stops_only_itself(self) -> None:
        self.outage(away="refuse")

    def test_a_registry_that_hangs_stops_only_itself(self) -> None:
        self.outage(away="hang")

    def test_a_registry_that_answers_502_stops_only_itself(self) -> None:
        self.outage(status=502)


if __name__ == "__main__":
    run_tests(StageCase)
