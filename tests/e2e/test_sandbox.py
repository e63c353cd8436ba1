# SPDX-License-Identifier: Apache-2.0
"""The embedded Kafka, as whoever tries berth meets it, and ./dev demo --keep."""

import re
import signal
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

from run import run_tests
from service import Service, free_port
from stage import EMBEDDED, USAGE, Stage

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sandbox.md"
DEMO = Path(__file__).with_name("demo.py")
STORY_S = 120
WAIT_S = 30


class Demo(Service):
    """The demo as a person starts it."""

    ready_timeout_s = STORY_S

    def __init__(self, folder: Path, build: Path) -> None:
        super().__init__("demo", folder)
        self.build = build.resolve()

    def command(self) -> list[str]:
        return [sys.executable, str(DEMO), "--build", str(self.build), "--keep"]

    def ready(self) -> bool:
        return "Ctrl-C ends everything" in self.log.read_text()


class Sandbox(unittest.TestCase):
    build: Any = None

    def setUp(self) -> None:
        self.stage = self.enterContext(Stage(self.build, partitions=2, kafka=EMBEDDED))

    def run_sandbox(self, *options: str) -> subprocess.CompletedProcess:
        """With options that it must refuse."""
        words = [str(self.stage.program("berth-sandbox")), "--registry", "alpha=0"]
        words += ["--password-file", str(self.stage.sandbox.password_file), *options]
        return subprocess.run(words, capture_output=True, text=True, timeout=WAIT_S, check=False)

    def test_topics_are_there_as_they_were_asked_for_and_by_default(self) -> None:
        for name in ("berth.commands.alpha", "berth.commands.beta", "berth.results", "berth.dlq"):
            self.assertEqual(self.partitions(name), 2)
        sandbox = self.stage.sandbox
        sandbox.stop()
        sandbox.topics = {"berth.results": 5}
        sandbox.start()
        self.stage.client_configuration.write_text(
            self.stage.configuration_text("client", self.stage.folder, free_port())
        )
        self.assertEqual(self.partitions("berth.results"), 5)
        for name in ("berth.commands.alpha", "berth.commands.beta", "berth.spaces", "berth.dlq"):
            self.assertEqual(self.partitions(name), 3)

    def test_the_page_says_what_a_configuration_needs(self) -> None:
        blocks = re.findall(r"^```\n(\[berth\]\n.*?)^```$", PAGE.read_text(), re.M | re.S)
        self.assertEqual(len(blocks), 1)
        used = self.stage.client_configuration.read_text().splitlines()
        for line in blocks[0].splitlines():
            self.assertIn(line, used)

    def partitions(self, topic: str) -> int:
        listed = self.stage.berth("topics").stdout
        found = re.search(rf"^{re.escape(topic)} +(\d+) .* ok$", listed, re.MULTILINE)
        self.assertIsNotNone(found, listed)
        assert found is not None
        return int(found.group(1))

    def test_a_slip_in_its_options_is_named(self) -> None:
        said = self.run_sandbox("--topic", "berth.results=5")
        self.assertEqual(said.returncode, USAGE)
        self.assertIn("--kafka is missing", said.stderr)
        for slip in ("results", "results=0", "results=1001", "re sults=1", "=1"):
            said = self.run_sandbox("--kafka", "--topic", slip)
            self.assertEqual(said.returncode, USAGE, slip)
            self.assertIn("NAME=PARTITIONS", said.stderr)
        said = self.run_sandbox("--kafka", "--topic", "results=1", "--topic", "results=2")
        self.assertEqual(said.returncode, USAGE)
        self.assertIn("one of that name already", said.stderr)

    def test_a_restarted_worker_does_nothing_twice(self) -> None:
        # The embedded Kafka throws a transaction's offsets away: what is read again, the ledger
        # must recognise.
        worker = self.stage.add_worker()
        sent = [self.create(f"team-{number}") for number in range(5)]
        for stop in (worker.stop, worker.kill):
            stop()
            worker.start_again()
            # Its answer comes after those to what was read again before it, partition by partition.
            sent += [self.create(f"{stop.__name__}-{number}") for number in range(4)]
        writes = [write["path"] for write in self.stage.sandbox.writes()]
        writes = [path for path in writes if path != "/c/login"]
        self.assertEqual(len(writes), len(sent), writes)
        answers = [record["value"] for record in self.stage.tail("results")]
        self.assertEqual({one["command_id"] for one in answers}, set(sent))
        for one in answers:
            self.assertEqual((one["outcome"], one["changed"]), ("SUCCEEDED", True))

    def create(self, space: str) -> str:
        result = self.stage.send("create-space", "--registry", "alpha", "--space", space)
        self.assertEqual(result["code"], "space.created")
        return result["command_id"]

    def test_the_demo_keeps_everything_running_until_ctrl_c_and_its_commands_work(self) -> None:
        demo = Demo(self.stage.folder / "kept", self.build)
        self.addCleanup(demo.kill)
        demo.begin()
        demo.wait_ready()
        shown = demo.log.read_text()
        commands = re.findall(r"^  ((?:/|curl ).+)$", shown, re.MULTILINE)
        self.assertGreaterEqual(len(commands), 3, shown)
        for command in commands:
            # As it was copied, from another folder.
            done = subprocess.run(
                command, shell=True, cwd="/", capture_output=True, text=True, timeout=WAIT_S
            )
            self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}{done.stderr}")
            self.assertNotEqual(done.stdout, "", command)
        folder = self.folder_of(shown)
        self.assertTrue(folder.is_dir())

        demo.process.send_signal(signal.SIGINT)
        self.assertEqual(demo.wait_end(WAIT_S), 0)
        self.assertFalse(folder.exists(), "what was kept is removed")

    def folder_of(self, shown: str) -> Path:
        found = re.search(r"^  configuration +(\S+)$", shown, re.MULTILINE)
        assert found is not None
        return Path(found.group(1)).parent


if __name__ == "__main__":
    run_tests(Sandbox)
