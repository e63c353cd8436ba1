# SPDX-License-Identifier: Apache-2.0
"""Positions that belong to another log: a command topic that was made anew, while berthd was down or
under it, and a Redis that another installation uses. Nothing is passed over in silence."""

import json
import subprocess
import urllib.error
import urllib.request
from typing import Any

import kafka_admin
from run import run_tests
from services import Kafka
from stage import DONE, REFUSED, Worker, wait_until
from workload import StageCase, answers, wait_for_answers

TOPIC = "berth.commands.alpha"
SOON_S = 40
BEFORE = 9
AFTER = 30
OTHER_CLUSTER_ID = "QjVEM0I2RTM4NjY5NDhENg"


class Logs(StageCase):
    partitions = 1

    def setUp(self) -> None:
        super().setUp()
        self.worker = self.stage.add_worker()

    def send(self, name: str, count: int) -> None:
        """Creates so many spaces, without waiting."""
        self.stage.send_batch(
            [
                f"create-space --registry alpha --space {name}-{number:03} --actor e2e"
                for number in range(count)
            ]
        )

    def do_some(self) -> None:
        self.send("before", BEFORE)
        wait_for_answers(self.stage, BEFORE)

    def stop(self) -> None:
        self.worker.terminate()
        self.assertEqual(self.worker.wait_end(), 0)

    def make_anew(self, partitions: int = 1) -> None:
        kafka_admin.delete_topic(self.stage.kafka.port, TOPIC)
        wait_until("the topic can be made", lambda: self.made(partitions), SOON_S, pause_s=0.02)

    def made(self, partitions: int) -> bool:
        """While brokers still delete it, it can't be."""
        done = self.stage.berth(
            "topics", "--create", "--partitions", str(partitions), accept=(DONE, REFUSED)
        )
        return done.returncode == DONE

    def get(self, path: str, worker: Any = None) -> str:
        try:
            url = f"http://127.0.0.1:{(worker or self.worker).admin_port}{path}"
            with urllib.request.urlopen(url, timeout=5) as reply:
                return f"{reply.status} {reply.read().decode()}"
        except urllib.error.HTTPError as error:
            return f"{error.code} {error.read().decode()}"
        except urllib.error.URLError:
            return "not up yet"

    def metric(self, name: str) -> float:
        for line in self.get("/metrics").splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
        raise AssertionError(f"there is no metric {name}")

    def wait_stopped(self) -> None:
        wait_until("/readyz says why", lambda: "another log" in self.get("/readyz"), SOON_S)
        self.assertTrue(self.get("/readyz").startswith("503"))
        self.assertIn(f"berth offsets --partition {TOPIC}/0 --from start", self.get("/readyz"))
        self.assertEqual(self.metric("berth_partitions_stopped"), 1)
        self.assertIn(f"partition.stopped topic={TOPIC} partition=0", self.worker.log.read_text())

    def offsets(self, *words: str) -> list[dict[str, Any]]:
        """Its exit status says whether one is stopped."""
        done = self.stage.berth("offsets", "--json", *words, accept=(DONE, REFUSED))
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        any_stopped = any(one["stopped"] for one in lines)
        self.assertEqual(done.returncode, REFUSED if any_stopped else DONE)
        return lines

    def partition(self) -> dict[str, Any]:
        (found,) = [one for one in self.offsets() if (one["topic"], one["partition"]) == (TOPIC, 0)]
        return found

    def resolve(self, start: str) -> None:
        (decided,) = self.offsets("--partition", f"{TOPIC}/0", "--from", start, "--yes")
        self.assertIsNotNone(decided["decided"])

    def assert_all_of_the_new_log_are_answered(self, spaces: list[str]) -> None:
        def answered() -> bool:
            return set(spaces) <= {one["space"] for one in answers(self.stage)}

        wait_until("everything is answered", answered, SOON_S, pause_s=0.1)
        self.assertLessEqual(set(spaces), set(self.stage.spaces_in_redis()))
        audited = [record["value"]["space"] for record in self.stage.tail("audit")]
        self.assertEqual(sorted(one for one in audited if one in spaces), spaces)
        wait_until("berthd is ready", lambda: self.get("/readyz").startswith("200"), SOON_S)

    def test_a_topic_made_anew_while_berthd_was_down_loses_nothing(self) -> None:
        self.do_some()
        self.assertEqual(self.partition()["stopped"], None)
        self.stop()
        self.make_anew()
        self.send("after", AFTER)
        self.worker.launch()
        self.wait_stopped()
        listed = self.partition()
        self.assertIn("another log", listed["stopped"])
        self.assertEqual((listed["base"], listed["end"]), (BEFORE, AFTER))
        self.assertEqual(listed["committed"], None, "Kafka deletes a topic's offsets with it")

        self.resolve("start")
        self.assert_all_of_the_new_log_are_answered([f"after-{i:03}" for i in range(AFTER)])
        self.assertEqual(len(answers(self.stage)), BEFORE + AFTER, "each is answered once")
        self.assertEqual(self.metric("berth_records_lost_total"), 0)
        self.assertEqual(self.partition()["stopped"], None)
        # From here on it is like any other log.
        self.stop()
        self.worker.start_again()
        self.assertEqual(self.metric("berth_partitions_stopped"), 0)

    def test_what_an_operator_passes_over_is_counted_and_named(self) -> None:
        self.do_some()
        self.stop()
        self.make_anew()
        self.send("after", AFTER)
        self.worker.launch()
        self.wait_stopped()
        self.resolve("base")
        self.assert_all_of_the_new_log_are_answered(
            [f"after-{i:03}" for i in range(BEFORE, AFTER)]
        )
        self.assertEqual(self.metric("berth_records_lost_total"), BEFORE)
        self.assertRegex(
            self.worker.log.read_text(),
            rf"partition\.records_lost topic={TOPIC} partition=0 lost={BEFORE} first=0 ",
        )

    def test_nothing_is_resolved_where_nothing_is_wrong(self) -> None:
        self.do_some()
        done = self.stage.berth(
            "offsets", "--partition", f"{TOPIC}/0", "--from", "start", "--yes", accept=(REFUSED,)
        )
        self.assertIn("isn't stopped", done.stderr)

    def test_a_topic_made_anew_under_a_running_worker_loses_nothing(self) -> None:
        self.do_some()
        self.make_anew()
        self.send("after", AFTER)
        self.wait_stopped()
        self.resolve("start")
        self.assert_all_of_the_new_log_are_answered([f"after-{i:03}" for i in range(AFTER)])

    def test_a_worker_of_another_kafka_keeps_away_from_a_redis_that_is_in_use(self) -> None:
        self.do_some()
        other = Kafka(self.stage.folder / "other-kafka", OTHER_CLUSTER_ID)
        self.addCleanup(other.kill)
        other.start()
        stranger = Worker(self.stage, "stranger")
        self.stage.workers.append(stranger)
        stranger.choose_ports()
        text = stranger.configuration.read_text()
        stranger.configuration.write_text(text.replace(self.stage.kafka.address, other.address))
        stranger.choose_ports = lambda: None  # type: ignore[method-assign]
        self.berth(stranger, "topics", "--create", "--partitions", "1")
        stranger.launch()
        self.assertEqual(stranger.wait_end(), 1)
        said = stranger.log.read_text()
        self.assertRegex(said, r"worker\.stopped .*deployment demo, group berth, Kafka cluster ")
        self.assertIn("prefix of its own in [redis]", said)

        checked = self.berth(stranger, "check")
        self.assertEqual(checked.returncode, REFUSED)
        self.assertIn("prefix of its own in [redis]", checked.stdout)
        self.assertEqual(self.worker.admin_status("/readyz"), 200, "its owner goes on")

    def berth(self, worker: Worker, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(self.stage.program("berth")), "-c", str(worker.configuration), *words],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


if __name__ == "__main__":
    run_tests(StageCase)
