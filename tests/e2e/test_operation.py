# SPDX-License-Identifier: Apache-2.0
"""What an operator meets: starting, checking, waiting for what is missing, stopping."""

import base64
import fcntl
import hashlib
import os
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from front_end import FrontEnd, make_certificates
from run import run_tests
from service import free_port
from stage import DONE, NO_ANSWER, USAGE, Worker, wait_until
from workload import StageCase, wait_for_answers

ROOT = Path(__file__).resolve().parents[2]
ANSWER_S = 30
# Longer than any single step takes, shorter than the drain's time.
SOON_S = 10


class Operation(StageCase):
    partitions = 1

    def worker_with(self, *lines: str) -> Worker:
        """A worker whose configuration says more; it isn't started."""
        worker = Worker(self.stage, "worker-1")
        self.stage.workers.append(worker)
        worker.choose_ports()
        text = worker.configuration.read_text()
        worker.configuration.write_text(text.replace("[berth]\n", "\n".join(lines) + "\n", 1))
        return worker

    def run_berthd(self, worker: Worker, *options: str) -> subprocess.CompletedProcess:
        """Runs berthd to its end."""
        command = [*worker.command(), *options]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def readiness(self, worker: Worker) -> str:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{worker.admin_port}/readyz", timeout=5
            ) as reply:
                return f"{reply.status} {reply.read().decode()}"
        except urllib.error.HTTPError as error:
            return f"{error.code} {error.read().decode()}"
        except urllib.error.URLError:
            return "not up yet"

    def test_a_missing_topic_is_named_with_the_remedy_and_work_begins_once_it_is_made(self) -> None:
        worker = self.worker_with("[topics]", "audit = late.audit", "[berth]")
        worker.launch()
        wait_until(
            "the missing topic in /readyz",
            lambda: "late.audit is missing" in self.readiness(worker),
            SOON_S,
        )
        says = self.readiness(worker)
        self.assertTrue(says.startswith("503"), says)
        self.assertIn("topics --create", says)
        self.assertEqual(worker.admin_status("/livez"), 200, "it is alive all the same")

        made = subprocess.run(
            [str(self.stage.program("berth")), "-c", str(worker.configuration)]
            + ["topics", "--create", "--partitions", "1"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(made.returncode, DONE, made.stderr)
        worker.wait_ready()
        result = self.stage.send("create-space", "--registry", "alpha", "--space", "team-a")
        self.assertEqual(result["code"], "space.created")

    def test_the_first_start_does_not_look_like_a_loss(self) -> None:
        said = self.stage.add_worker().log.read_text()
        self.assertIn("rebuild.first_start", said)
        self.assertNotRegex(said, r"\berror\b|lost|missing|older")

    def test_metrics_are_those_of_the_page_and_count_what_was_done(self) -> None:
        worker = self.stage.add_worker()
        self.stage.send("create-space", "--registry", "alpha", "--space", "team-a")
        url = f"http://127.0.0.1:{worker.admin_port}/metrics"

        def metrics() -> dict[str, float]:
            with urllib.request.urlopen(url, timeout=5) as reply:
                lines = reply.read().decode().splitlines()
            samples = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
            return {name: float(value) for name, value in samples}

        page = (ROOT / "docs" / "operations.md").read_text()
        self.assertEqual(
            {name.partition("{")[0] for name in metrics()},
            set(re.findall(r"^\| `(berth_\w+)` \|", page, re.MULTILINE)),
        )
        wait_until(
            "the settled record", lambda: metrics()["berth_records_settled_total"] == 1, SOON_S
        )
        self.assertEqual(metrics()["berth_redis_up"], 1)
        self.assertEqual(metrics()["berth_partitions"], 2, "one of each command topic")
        self.assertEqual(metrics()["berth_records_lost_total"], 0)

    def test_a_second_process_of_the_same_instance_does_not_start(self) -> None:
        worker = self.stage.add_worker()
        second = self.run_berthd(worker)
        self.assertEqual(second.returncode, 1)
        self.assertIn("another berthd runs as instance 'worker-1'", second.stderr)
        self.assertTrue(worker.running)

    def test_a_log_that_nobody_reads_stops_nothing(self) -> None:
        worker = self.worker_with("[berth]")
        text = worker.configuration.read_text()
        worker.configuration.write_text(text.replace("log_level = info", "log_level = debug"))
        from_worker, to_reader = os.pipe()
        fcntl.fcntl(to_reader, fcntl.F_SETPIPE_SZ, 4096)
        with open(from_worker, "rb", buffering=0) as unread:
            worker.process = subprocess.Popen(
                worker.command(), stdout=subprocess.DEVNULL, stderr=to_reader
            )
            os.close(to_reader)
            worker.wait_ready()
            spaces = [f"unread-{number}" for number in range(200)]
            self.stage.send_batch([f"create-space -r alpha -s {space}" for space in spaces])
            wait_for_answers(self.stage, len(spaces))
            self.assertEqual(worker.admin_status("/livez"), 200)
            self.assertEqual(worker.admin_status("/readyz"), 200)
            worker.terminate()
            self.assertEqual(worker.wait_end(), 0, "it ends, too, though nobody reads")
            said = unread.read(65536).decode()
        self.assertIn("worker.started", said)

    def test_a_program_that_is_started_without_standard_streams_gives_them_to_no_file(self) -> None:
        def close_streams() -> None:
            for stream in range(3):
                os.close(stream)

        worker = self.worker_with("[berth]")
        tail = [str(self.stage.program("berth")), "-c", str(self.stage.client_configuration)]
        for command in (worker.command(), [*tail, "tail", "results"]):
            process = subprocess.Popen(command, preexec_fn=close_streams)
            try:
                folder = Path(f"/proc/{process.pid}/fd")
                wait_until("its own files", lambda: len(list(folder.iterdir())) > 4, SOON_S)
                streams = [os.readlink(folder / str(stream)) for stream in range(3)]
            finally:
                process.kill()
                process.wait()
            self.assertEqual(streams, ["/dev/null"] * 3, command)

    def test_a_slip_in_the_configuration_is_named_with_line_and_remedy(self) -> None:
        worker = self.worker_with("[berth]", "leese_ms = 15000", "window = many")
        done = self.run_berthd(worker)
        self.assertEqual(done.returncode, USAGE)
        self.assertIn(f"{worker.configuration}:2: error:", done.stderr)
        self.assertIn("lease_ms", done.stderr)
        self.assertIn(f"{worker.configuration}:3: error:", done.stderr)

    def test_checking_the_configuration_prints_it_without_secrets(self) -> None:
        worker = self.worker_with("[berth]")
        done = self.run_berthd(worker, "-t")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("lease_ms = 15000", done.stdout)
        self.assertIn("configuration is fine", done.stderr)
        for secret in (self.stage.sandbox.password, self.stage.master_key.read_text().strip()):
            self.assertNotIn(secret, done.stdout + done.stderr)

    def test_a_reload_takes_over_what_it_can_and_names_what_needs_a_restart(self) -> None:
        worker = self.stage.add_worker()
        text = worker.configuration.read_text()
        changed = (
            text.replace("log_level = info", "log_level = warning")
            .replace("start = earliest", "start = latest")
            .replace("[kafka]\n", "[kafka]\nfetch.wait.max.ms = 250\n")
            .replace("[registry beta]", "[registry gamma]")
            .replace("dedicated = yes", "dedicated = yes\nrequest_timeout_ms = 6000", 1)
        )
        worker.reload(changed)
        said = worker.log.read_text()
        for option in (
            "berth.start",
            "kafka.fetch.wait.max.ms",
            "registry beta",
            "registry gamma",
        ):
            self.assertRegex(said, rf'warning configuration.needs_restart option="{option}"')
        self.assertIn('configuration.changed option="berth.log_level"', said)
        self.assertIn('configuration.changed option="registry alpha.request_timeout_ms"', said)
        # What it says at level info is no longer said.
        result = self.stage.send("create-space", "--registry", "alpha", "--space", "quiet")
        self.assertEqual(result["code"], "space.created")
        self.assertNotIn("command.settled", worker.log.read_text())

    def test_a_bad_file_is_refused_in_one_line_and_the_old_one_stays(self) -> None:
        worker = self.stage.add_worker()
        text = worker.configuration.read_text()
        worker.reload(text.replace("log_level = info", "log_level = loud"))
        lines = [line for line in worker.log.read_text().splitlines() if "refused" in line]
        self.assertEqual(len(lines), 1)
        self.assertIn("log_level", lines[0])
        result = self.stage.send("create-space", "--registry", "alpha", "--space", "as-before")
        self.assertEqual(result["code"], "space.created")

    def test_it_logs_in_once_and_logs_out_when_it_stops(self) -> None:
        self.stage.sandbox.reset_counters()
        worker = self.stage.add_worker()
        for number in range(5):
            self.stage.send("create-space", "--registry", "alpha", "--space", f"in-{number}")
        calls = self.stage.sandbox.counters()
        self.assertEqual(calls["POST /c/login"], 1)
        self.assertEqual(calls["POST /projects"], 5)
        worker.stop()
        self.assertEqual(self.stage.sandbox.counters()["GET /c/log_out"], 1)
        said = worker.log.read_text()
        self.assertNotIn(self.stage.sandbox.password, said)
        self.assertNotIn("sid=", said)

    def test_a_front_end_with_a_ca_and_client_certificates_of_its_own_lets_it_in(self) -> None:
        folder = self.stage.folder
        make_certificates(folder)
        address = urllib.parse.urlsplit(self.stage.sandbox.url("alpha"))
        assert address.port is not None
        with FrontEnd(folder, address.port) as front:
            worker = self.stage.add_worker()
            plain = f"url = {self.stage.sandbox.url('alpha')}"
            url = f"https://localhost:{front.port}"
            lines = [f"url = {url}", f"ca_file = {folder}/ca.pem", "extra_headers = X-Team: blue"]
            shown = [f"client_cert_file = {folder}/client.pem"]
            key = [f"client_key_file = {folder}/client.key"]
            text = worker.configuration.read_text()
            worker.reload(text.replace(plain, "\n".join(lines + shown + key), 1))
            result = self.stage.send("create-space", "--registry", "alpha", "--space", "behind")
            self.assertEqual(result["code"], "space.created")
            self.assertIn(f"Referer: {url}\r\n".encode(), front.seen)
            self.assertIn(b"X-Team: blue\r\n", front.seen)
            self.assertIn(b"X-Harbor-CSRF-Token: ", front.seen)
            self.assertNotIn(b"Authorization:", front.seen)

            # Another certificate's key is found before it is used.
            key = [f"client_key_file = {folder}/server.key"]
            worker.reload(text.replace(plain, "\n".join(lines + shown + key), 1))
            self.assertIn("isn't the key of the certificate", worker.log.read_text())

    def test_a_drain_that_runs_out_of_time_lists_what_is_left_and_nothing_is_lost(self) -> None:
        worker = self.worker_with("[berth]", "drain_timeout_ms = 1000")
        worker.launch()
        worker.wait_ready()
        self.send_into_a_hanging_harbor()
        worker.terminate()
        self.assertEqual(worker.wait_end(), 0, "an orderly end")
        log = worker.log.read_text()
        self.assertIn("worker.drain_timed_out", log)
        self.assertRegex(log, r"command\.left .*space=alpha/slow")

        self.stage.sandbox.faults()
        worker.start_again()
        self.assert_answered_once("slow")

    def test_a_second_signal_ends_it_at_once_and_nothing_is_lost(self) -> None:
        worker = self.stage.add_worker()
        self.send_into_a_hanging_harbor()
        worker.terminate()
        wait_until("it drains", lambda: "worker.draining" in worker.log.read_text(), SOON_S)
        worker.terminate()
        self.assertEqual(worker.wait_end(SOON_S), 0)
        self.assertIn("worker.stopping_at_once", worker.log.read_text())

        self.stage.sandbox.faults()
        worker.start_again()
        self.assert_answered_once("slow")

    def test_berth_send_waits_no_longer_than_it_was_told(self) -> None:
        words = ("create-space", "--registry", "alpha", "--space", "nobody-does-it")
        done = self.stage.berth("send", *words, "--wait=1", accept=(NO_ANSWER,))
        self.assertIn("no answer", (done.stdout + done.stderr).lower())

    def test_a_kafka_that_is_down_is_named_with_its_address_and_status_3(self) -> None:
        nowhere = f"127.0.0.1:{free_port()}"
        text = self.stage.client_configuration.read_text()
        elsewhere = self.stage.folder / "elsewhere.conf"
        elsewhere.write_text(text.replace(self.stage.kafka.address, nowhere))
        send = ("send", "create-space", "--registry", "alpha", "--space", "team-a")
        for words in (send, (*send, "--wait"), ("tail", "results"), ("topics", "--create")):
            with self.subTest(words=words):
                done = self.stage.berth("-c", str(elsewhere), *words, accept=(NO_ANSWER,))
                self.assertEqual(done.stdout, "")
                self.assertIn(f"Kafka at {nowhere}: ", done.stderr)
                self.assertIn("Connection refused", done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_a_record_too_large_to_be_copied_is_a_dead_letter_without_its_value(self) -> None:
        worker = self.stage.add_worker()
        letters = {}
        for size in (300_000, 950_000):
            file = self.stage.folder / f"bytes-{size}"
            file.write_bytes(b"x" * size)
            self.stage.berth(
                *("send", "--raw", str(file), "--key", f"alpha/{size}"),
                *("--topic", "berth.commands.alpha"),
            )

        def all_there() -> bool:
            letters.update({record["key"]: record for record in self.stage.tail("dlq")})
            return len(letters) == 2

        wait_until("the dead letters", all_there, ANSWER_S, pause_s=0.1)
        copied, omitted = letters["alpha/300000"], letters["alpha/950000"]
        said = "record.dead_letter reason=record.too_large"
        wait_until("its log", lambda: worker.log.read_text().count(said) == 2, SOON_S)
        url = f"http://127.0.0.1:{worker.admin_port}/metrics"
        with urllib.request.urlopen(url, timeout=5) as reply:
            counted = reply.read().decode()
        self.assertIn('berth_dead_letters_total{reason="record.too_large"} 2\n', counted)
        for letter in (copied, omitted):
            self.assertEqual(letter["headers"]["berth-dlq-reason"], "record.too_large")
        self.assertEqual(len(base64.b64decode(copied["value_base64"])), 300_000)
        self.assertNotIn("berth-dlq-omitted", copied["headers"])
        digest = hashlib.sha256(b"x" * 950_000).hexdigest()
        says = omitted["headers"]["berth-dlq-omitted"]
        self.assertEqual(says, f"bytes=950000 sha256={digest}")
        self.assertIsNone(omitted.get("value"))

    def send_into_a_hanging_harbor(self) -> None:
        """One command whose request to Harbor is under way and not answered."""
        self.stage.sandbox.faults(away="hang")
        self.stage.berth("send", "create-space", "--registry", "alpha", "--space", "slow")
        wait_until("the claim", lambda: self.holds_lane("slow"), SOON_S)

    def holds_lane(self, space: str) -> bool:
        return "holder_command" in self.stage.redis.hash(f"berth:v1:space:alpha/{space}")

    def assert_answered_once(self, space: str) -> None:
        def found() -> list[dict]:
            records = [record["value"] for record in self.stage.tail("results")]
            return [value for value in records if value["space"] == space]

        wait_until("the answer", lambda: len(found()) > 0, ANSWER_S, pause_s=0.1)
        self.assertEqual([one["outcome"] for one in found()], ["SUCCEEDED"])
        self.assertIsNotNone(self.stage.project(space))


if __name__ == "__main__":
    run_tests(StageCase)
