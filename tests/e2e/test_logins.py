# SPDX-License-Identifier: Apache-2.0
"""Logging in to Kafka as people do: by TLS, by certificate, by password; and what is said when it
doesn't work."""

import subprocess
import time
import urllib.error
import urllib.request

from run import run_tests
from secured_kafka import SecuredKafka
from stage import DONE, NO_ANSWER, USAGE, Worker, wait_until
from workload import StageCase

# People wait for it.
REASON_WITHIN_S = 20


class Logins(StageCase):
    partitions = 1
    secured = True
    refusals = 0

    def setUp(self) -> None:
        super().setUp()
        self.kafka: SecuredKafka = self.stage.kafka  # type: ignore[assignment]

    def log_in_by(self, lines: list[str]) -> None:
        self.stage.kafka_login = lines
        text = self.stage.configuration_text("client", self.stage.folder, 1)
        self.stage.client_configuration.write_text(text)

    def file(self, name: str) -> str:
        return str(self.kafka.file(name))

    def test_a_command_is_answered_under_every_way_to_log_in(self) -> None:
        kafka = self.kafka
        ways = {
            "tls": kafka.login("TLS"),
            "mtls": kafka.login("MTLS"),
            "mtls-locked-key": kafka.login(
                "MTLS",
                ssl_key_location=self.file("client-locked.key"),
                ssl_key_password_file=self.file("key-password"),
            ),
            "plain": kafka.login("SASL", "PLAIN"),
            "scram-256": kafka.login("SASL", "SCRAM-SHA-256"),
            "tls-plain": kafka.login("SASLTLS", "PLAIN"),
            "tls-scram-256": kafka.login("SASLTLS", "SCRAM-SHA-256"),
            "tls-scram-512": kafka.login("SASLTLS", "SCRAM-SHA-512"),
        }
        for way, lines in ways.items():
            with self.subTest(way):
                self.log_in_by(lines)
                worker = self.stage.add_worker(f"worker-{way}")
                result = self.stage.send("create-space", "-r", "alpha", "-s", way, "--private")
                self.assertEqual(result["outcome"], "SUCCEEDED")
                self.stage.berth("check", "--transaction")
                worker.stop()

    def test_each_tool_says_why_it_was_not_let_in_and_by_whom(self) -> None:
        self.log_in_by(self.kafka.login("SASLTLS", "SCRAM-SHA-512",
                                        sasl_password_file=self.file("wrong-password")))  # fmt: skip
        for words in (
            ["topics"],
            ["tail", "results", "--until-end"],
            ["send", "create-space", "-r", "alpha", "-s", "a", "--private"],
            ["send", "create-space", "-r", "alpha", "-s", "a", "--private", "--wait"],
            ["check"],
        ):
            self.assert_told(words, "invalid credentials", self.kafka.address_of("SASLTLS"))

    def test_each_reason_is_told_in_librdkafkas_own_words(self) -> None:
        kafka = self.kafka
        wrong = self.file("wrong-password")
        reasons: list[tuple[str, list[str]]] = [
            ("Invalid username or password", kafka.login("SASL", "PLAIN", sasl_password_file=wrong)),
            ("Unsupported SASL mechanism", kafka.login("SASL", "SCRAM-SHA-512")),
            (
                "broker certificate could not be verified",
                kafka.login("TLS", ssl_ca_location=self.file("other-ca.pem")),
            ),
            ("bad certificate", kafka.login("TLS", bootstrap_servers=kafka.address_of("MTLS"))),
            ("PLAINTEXT broker listener", kafka.login("TLS", bootstrap_servers=kafka.address)),
            ("connecting to a SSL listener", [f"bootstrap.servers = {kafka.address_of('TLS')}"]),
            (
                "broker might require SASL authentication",
                [f"bootstrap.servers = {kafka.address_of('SASL')}"],
            ),
            ("Connection refused", ["bootstrap.servers = 127.0.0.1:1"]),
        ]
        for reason, lines in reasons:
            with self.subTest(reason):
                self.log_in_by(lines)
                address = lines[0].removeprefix("bootstrap.servers = ")
                self.assert_told(["topics"], reason, address)
        # One that is down hides none that answers.
        self.log_in_by([f"bootstrap.servers = 127.0.0.1:1,{kafka.address}"])
        self.stage.berth("topics")

    def assert_told(self, words: list[str], reason: str, address: str) -> None:
        began = time.monotonic()
        done = self.stage.berth(*words, accept=range(256))
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, NO_ANSWER, said)
        self.assertIn(reason, said)
        self.assertIn(address, said)
        self.assertLess(time.monotonic() - began, REASON_WITHIN_S)

    def test_a_configuration_without_its_password_is_refused_before_the_start(self) -> None:
        without = self.kafka.login("SASLTLS", "SCRAM-SHA-512", sasl_password_file="")
        self.assertIn("sasl.password_file", self.refused(without))
        inside = self.refused([*without, "sasl.password = hunter2"])
        self.assertIn("put it into a file of its own", inside)
        locked = self.kafka.login("MTLS", ssl_key_location=self.file("client-locked.key"))
        inside = self.refused([*locked, "ssl.key.password = hunter2"])
        self.assertIn("ssl.key.password_file", inside)

    def refused(self, lines: list[str]) -> str:
        self.refusals += 1
        worker = Worker(self.stage, f"refused-{self.refusals}")
        self.log_in_by(lines)
        worker.choose_ports()
        done = subprocess.run(
            [*worker.command(), "-t"], capture_output=True, text=True, timeout=60, check=False
        )
        self.assertNotEqual(done.returncode, DONE)
        self.assertNotIn("hunter2", done.stderr)
        self.stage.berth("topics", accept=[USAGE])
        return done.stderr

    def test_berthd_says_it_once_in_its_log_and_in_readyz_and_works_when_it_is_mended(self) -> None:
        password = self.kafka.file("rotated-password")
        password.write_text("Not-The-Passw0rd\n")
        password.chmod(0o600)
        self.log_in_by(
            self.kafka.login("SASLTLS", "SCRAM-SHA-256", sasl_password_file=str(password))
        )
        worker = Worker(self.stage, "worker-1")
        self.stage.workers.append(worker)
        worker.begin()

        def refused() -> bool:
            return "invalid credentials" in self.readyz(worker)

        wait_until("/readyz says why", refused, 30)
        # It looks again and again; a flood would show within that.
        tries = 5
        for _ in range(tries):
            self.stage.berth("topics", accept=[NO_ANSWER])
        told = [line for line in worker.log.read_text().splitlines() if "credentials" in line]
        self.assertLessEqual(len(told), 3, "\n".join(told))
        self.assertNotIn("Not-The-Passw0rd", worker.log.read_text())
        worker.stop()
        password.write_text((self.kafka.file("password")).read_text())
        worker.start_again()

    def readyz(self, worker: Worker) -> str:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{worker.admin_port}/readyz", timeout=5
            ) as reply:
                return reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()


if __name__ == "__main__":
    run_tests(Logins)
