# SPDX-License-Identifier: Apache-2.0
"""Topics that refuse what berthd publishes: what needs them waits, and nothing else does."""

import urllib.error
import urllib.request

import kafka_admin
from run import run_tests
from secured_kafka import SecuredKafka
from stage import Worker, wait_until
from workload import StageCase, answers

SOON_S = 20


class Outputs(StageCase):
    partitions = 2
    secured = True

    def setUp(self) -> None:
        super().setUp()
        kafka: SecuredKafka = self.stage.kafka  # type: ignore[assignment]
        self.port = kafka.port
        self.stage.kafka_login = kafka.login("SASL", "PLAIN")
        self.stage.client_configuration.write_text(
            self.stage.configuration_text("client", self.stage.folder, 1)
        )

    def get(self, worker: Worker, path: str) -> str:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{worker.admin_port}{path}", timeout=5
            ) as reply:
                return reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def metric(self, worker: Worker, name: str) -> float:
        lines = self.get(worker, "/metrics").splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])

    def send_junk(self, count: int) -> None:
        junk = self.stage.folder / "junk"
        junk.write_text("this is no command")
        for number in range(count):
            place = ("--topic", "berth.commands.alpha", "--key", f"alpha/junk-{number}")
            self.stage.berth("send", "--raw", str(junk), *place)

    def create(self, registry: str, space: str) -> str:
        return self.stage.send("create-space", "-r", registry, "-s", space, "--private")["outcome"]

    def test_a_topic_of_dead_letters_that_may_not_be_written_to_holds_up_junk_alone(self) -> None:
        worker = self.stage.add_worker()
        kafka_admin.deny(self.port, "berth.dlq", kafka_admin.WRITE)
        self.send_junk(3)
        # Others are answered meanwhile, of this registry and of the other one.
        for registry in ("alpha", "beta"):
            self.assertEqual(self.create(registry, "team-a"), "SUCCEEDED")

        def named() -> bool:
            return "berth.dlq: it may not be written to" in self.get(worker, "/readyz")

        wait_until("/readyz names topic and reason", named, SOON_S)
        self.assertEqual(self.metric(worker, "berth_outcomes_set_aside"), 3)
        self.assertEqual(self.metric(worker, "berth_outputs_refusing"), 1)
        self.assertGreater(self.metric(worker, "berth_outputs_refused_total"), 0)
        log = worker.log.read_text()
        self.assertEqual(log.count("output.refuses topic=berth.dlq"), 1, log)
        # It isn't tried again and again: each try costs everybody a transaction.
        aborted = log.count("transaction.aborted")
        for number in range(5):
            self.assertEqual(self.create("beta", f"team-{number}"), "SUCCEEDED")
        self.assertEqual(worker.log.read_text().count("transaction.aborted"), aborted)
        # Needed on the day on which Redis has lost its data, and told before.
        kafka_admin.deny(self.port, "berth.spaces", kafka_admin.READ)
        said = self.stage.berth("check", accept=(1,)).stdout
        self.assertIn("berth.dlq may not be written to", said)
        self.assertIn("berth.spaces can't be read", said)
        kafka_admin.allow(self.port, "berth.spaces")

        kafka_admin.allow(self.port, "berth.dlq")
        wait_until("the dead letters", lambda: len(self.stage.tail("dlq")) == 3, 70)
        wait_until("/readyz is well again", worker.ready, SOON_S)
        self.assertEqual(self.metric(worker, "berth_outcomes_set_aside"), 0)
        worker.stop()

    def test_a_topic_of_results_that_may_not_be_written_to_ends_with_each_answered_once(
        self,
    ) -> None:
        worker = self.stage.add_worker()
        kafka_admin.deny(self.port, "berth.results", kafka_admin.WRITE)
        spaces = [f"team-{number}" for number in range(8)]
        self.stage.send_batch([f"create-space -r alpha -s {space} --private" for space in spaces])
        wait_until(
            "all are set aside",
            lambda: self.metric(worker, "berth_outcomes_set_aside") == len(spaces),
            SOON_S,
        )
        self.assertIn("berth.results: it may not be written to", self.get(worker, "/readyz"))
        # A restart loses nothing of it, and does nothing twice.
        worker.kill()
        worker.launch()
        kafka_admin.allow(self.port, "berth.results")
        worker.wait_ready()
        wait_until("all answers", lambda: len(answers(self.stage)) == len(spaces), 70)
        self.assertEqual({one["outcome"] for one in answers(self.stage)}, {"SUCCEEDED"})
        worker.stop()

    def test_a_limit_that_is_lowered_while_it_runs_is_read_again(self) -> None:
        worker = self.stage.add_worker()
        self.assertEqual(self.create("alpha", "large"), "SUCCEEDED")
        for topic in ("berth.results", "berth.audit", "berth.spaces"):
            kafka_admin.alter_topic(self.port, topic, max_message_bytes="131072")
        workspaces = [f"w{number:03}-{'x' * 120}" for number in range(700)]
        names = [word for workspace in workspaces for word in ("-w", workspace)]
        result = self.stage.send("bind-workspace", "-r", "alpha", "-s", "large", *names)
        self.assertEqual(result["outcome"], "SUCCEEDED")
        self.assertEqual(result["bindings"], [])  # In its smaller form, ...
        self.assertEqual(len(self.stage.bound_in_harbor("large") or []), len(workspaces))
        headers = self.stage.tail("results")[-1]["headers"]
        self.assertIn("berth-omitted", str(headers))
        self.assertIn(
            "output.limit topic=berth.results message_bytes=131072", worker.log.read_text()
        )
        self.assertEqual(self.create("beta", "team-a"), "SUCCEEDED")
        # Many small ones, which don't fit as one batch.
        spaces = [f"team-{number}" for number in range(300)]
        self.stage.send_batch([f"create-space -r beta -s {space} --private" for space in spaces])
        wait_until("all answers", lambda: len(answers(self.stage)) == 303, 120, pause_s=0.5)
        self.assertEqual(self.metric(worker, "berth_outcomes_set_aside"), 0)
        worker.stop()


if __name__ == "__main__":
    run_tests(Outputs)
