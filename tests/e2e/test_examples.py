# SPDX-License-Identifier: Apache-2.0
"""The examples of docs/examples, run as a reader of docs/events.md would run them: with Debian's
own Python and its packages, and nothing of ours but the schemas."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

from run import run_tests
from service import free_port
from stage import DONE, NO_ANSWER, REFUSED
from workload import StageCase

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
EVENTS_PAGE = ROOT / "docs" / "events.md"
MANUAL = ROOT / "docs" / "man" / "berth.1"
# The one that Debian's python3-... packages belong to; another may come first on the path.
PYTHON = "/usr/bin/python3"
WAIT_S = 30
ID = "5D0E3C1A-7C1B-4F53-9C55-6E2F3D1B7A90"


class Examples(StageCase):
    partitions = 12  # As in the manual's first example.

    def setUp(self) -> None:
        super().setUp()
        self.stage.add_worker()

    def run_example(self, name: str, *words: str) -> subprocess.CompletedProcess:
        # -I: neither our environment nor our folders.
        command = [PYTHON, "-I", str(EXAMPLES / name), "--bootstrap", self.stage.kafka.address]
        return subprocess.run(
            [*command, *words], capture_output=True, text=True, timeout=2 * WAIT_S, check=False
        )

    def produce(self, *words: str) -> dict[str, Any]:
        done = self.run_example("produce.py", "--registry", "alpha", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def consume(self, group: str, command_id: str, status: int) -> dict[str, Any]:
        words = ["--group", group, "--id", command_id, "--timeout", str(WAIT_S)]
        done = self.run_example("consume.py", *words)
        self.assertEqual(done.returncode, status, done.stderr)
        return json.loads(done.stdout)

    def test_the_producer_creates_a_space_and_the_consumer_prints_its_result(self) -> None:
        sent = self.produce("--space", "team-a", "--public")
        answer = self.consume("console", sent["command_id"], DONE)
        self.assertEqual(answer["command_id"], sent["command_id"])
        self.assertEqual(answer["source"], sent["source"])
        self.assertEqual(answer["outcome"], "SUCCEEDED")
        self.assertEqual(answer["code"], "space.created")
        self.assertEqual(answer["message"], "Created registry space successfully")
        self.assertIs(answer["replayed"], False)
        project = self.stage.project("team-a")
        self.assertIsNotNone(project)
        self.assertEqual(project["metadata"]["public"], "true")

        # The page shows what they print.
        lines = EVENTS_PAGE.read_text().splitlines()
        shown = [json.loads(line) for line in lines if line.startswith('{"')]
        self.assertEqual([list(one) for one in shown], [list(sent), list(answer)])

        # A new command for the same name is refused; and its record goes where berth's own do.
        second = self.stage.send("create-space", "--registry", "alpha", "--space", "team-a")
        self.assertEqual(second["code"], "space.already_exists")
        self.assertEqual(second["source"]["partition"], sent["source"]["partition"])
        refused = self.consume("console", second["command_id"], REFUSED)
        self.assertEqual(refused["source"], second["source"])

    def test_a_command_that_is_sent_again_gets_the_same_answer_once_more(self) -> None:
        first = self.produce("--space", "team-b", "--id", ID)
        once = self.consume("console", ID, DONE)
        self.stage.sandbox.reset_counters()
        again = self.produce("--space", "team-b", "--id", ID)
        repeated = self.consume("console", ID, DONE)

        self.assertEqual(again["source"]["partition"], first["source"]["partition"])
        self.assertEqual(repeated["source"], again["source"])
        self.assertIs(repeated["replayed"], True)
        self.assertNotEqual(repeated["event_id"], once["event_id"])
        for name in ("command_id", "space", "outcome", "changed", "code", "message"):
            self.assertEqual(repeated[name], once[name], name)
        calls = self.stage.sandbox.calls()
        self.assertEqual(calls, {}, "a repeated command asks Harbor nothing")

    def test_each_says_when_nothing_came(self) -> None:
        words = ["--group", "console", "--id", ID, "--timeout", "2"]
        done = self.run_example("consume.py", *words)
        self.assertEqual((done.returncode, done.stdout), (NO_ANSWER, ""), done.stderr)

        words = ["--registry", "alpha", "--space", "team-c", "--delivery-timeout", "2"]
        nowhere = f"127.0.0.1:{free_port()}"
        done = self.run_example("produce.py", *words, "--bootstrap", nowhere)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertIn("did not take the record", done.stderr)

    def test_whatever_goes_wrong_is_a_sentence_and_no_traceback(self) -> None:
        nobody = f"http://127.0.0.1:{free_port()}"
        nothing = str(self.stage.folder / "nothing")
        kafka = ["--bootstrap", self.stage.kafka.address]
        for words, said in (
            (["choose_image.py"], "usage: "),
            (["choose_image.py", "127.0.0.1", "blue"], "usage: "),
            (["choose_image.py", nobody, "blue"], f"{nobody}: "),
            (["choose_image.py", self.stage.sandbox.url("alpha"), "blue"], "is that berthd's"),
            (["derive_pull_secret.py", "key"], "usage: "),
            (["derive_pull_secret.py", nothing, "blue", "uid", "1", "2"], "No such file"),
            (["produce.py", *kafka, "--registry", "gamma", "--space", "a"], "did not take"),
            (["produce.py", *kafka, "--registry", "a", "--space", "a", "--id", "7"], "invalid UUID"),
        ):
            with self.subTest(words=words):
                done = subprocess.run(
                    [PYTHON, "-I", str(EXAMPLES / words[0]), *words[1:]],
                    capture_output=True,
                    text=True,
                    timeout=2 * WAIT_S,
                    check=False,
                )
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(said, done.stderr)
                self.assertNotIn("Traceback", done.stderr)

    def test_a_missing_package_is_named_with_the_way_to_get_it(self) -> None:
        for name in ("produce.py", "consume.py"):
            # -S: without the folders that packages are in.
            command = [PYTHON, "-I", "-S", str(EXAMPLES / name)]
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=WAIT_S, check=False
            )
            self.assertIn("apt-get install python3-confluent-kafka python3-avro", done.stderr)
            self.assertNotIn("Traceback", done.stderr)

    def test_the_examples_of_the_manual_run_as_they_are(self) -> None:
        """From the first to the last: each finds what those before it have left."""
        text = MANUAL.read_text().partition(".Sh EXAMPLES")[2]
        examples = [line for line in text.splitlines() if line.startswith("berth ")]
        self.assertGreater(len(examples), 10)
        ran = set()
        for example in examples:
            words = shlex.split(example.split("|")[0])[1:]
            with self.subTest(example=example):
                # The page's registry is called main; a pipe's end is other programs'.
                done = self.stage.berth(*["alpha" if word == "main" else word for word in words])
                self.assertEqual(done.stderr, "")
            ran |= set(words[:2])
        named = {"topics", "send", "tail", "bindings", "pull-secret"}
        self.assertLessEqual(named | {"create-space", "set-workspace-bindings"}, ran)

    def test_every_header_and_detail_that_is_published_is_on_the_page(self) -> None:
        page = EVENTS_PAGE.read_text()
        self.stage.send("create-space", "--registry", "alpha", "--space", "team-a", "--public")
        bind = ("bind-workspace", "--registry", "alpha", "--space", "team-a", "--workspace", "blue")
        self.stage.send(*bind)
        self.stage.send("delete-space", "--registry", "alpha", "--space", "team-a")
        random_bytes = self.stage.folder / "random"
        random_bytes.write_bytes(b"\x01no record\xff")
        raw = ("--raw", str(random_bytes), "--topic", "berth.commands.alpha", "--key", "alpha/x")
        self.stage.berth("send", *raw, "--wait", accept=(REFUSED,))

        for topic in ("results", "audit", "spaces", "dlq"):
            records = self.stage.tail(topic)
            self.assertNotEqual(records, [], topic)
            for record in records:
                for name in record["headers"]:
                    self.assertIn(f"| `{name}` |", page, topic)
        details = [record["value"]["details"] for record in self.stage.tail("results")]
        names = {name for one in details for name in one}
        self.assertLessEqual({"workspaces", "workspaces_count", "effect"}, names)
        for name in names:
            self.assertIn(f"| `{name}` |", page)


if __name__ == "__main__":
    run_tests(StageCase)
