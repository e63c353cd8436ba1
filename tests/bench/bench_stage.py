# SPDX-License-Identifier: Apache-2.0
"""What the measures share: stages with a warmed broker, workers, and the load program."""

import hashlib
import json
import subprocess
import time
from pathlib import Path
from typing import Any, Optional

from service import ServiceError
from stage import Stage, Worker

LOAD_TIMEOUT_S = 600
REGISTRY = "alpha"
COMMANDS_TOPIC = f"berth.commands.{REGISTRY}"
RESULTS_TOPIC = "berth.results"
# The bare transactions are as berth makes them (src/core/engine_publish.c, src/io/kafka_properties.c).
BARE_TOPICS = (COMMANDS_TOPIC, RESULTS_TOPIC, "berth.audit", "berth.spaces")
PAUSE_US, RETRY_BACKOFF_MS = "0", "1"
# A fresh broker makes its first transactions three to five times slower than later ones.
WARM_UP_ROUNDS, WARM_UP_TRANSACTIONS = 4, 500


class BenchWorker(Worker):
    """A worker whose section of the registry says more."""

    def __init__(self, stage: Stage, *registry_lines: str, instance: str = "worker-1") -> None:
        super().__init__(stage, instance)
        self.registry_lines = registry_lines

    def choose_ports(self) -> None:
        super().choose_ports()
        section = f"[registry {REGISTRY}]"
        text = self.configuration.read_text()
        more = "\n".join([section, *self.registry_lines])
        self.configuration.write_text(text.replace(section, more, 1))


class Bench:
    """What all measures share: which programs, how often, how much."""

    partitions = 12

    def __init__(
        self, build: Path, runs: int, scale: float, minutes: float, beside: Optional[Path] = None
    ) -> None:
        """beside: the berthd of another build, which does the same turn by turn."""
        self.build = build.resolve()
        self.beside = beside
        self.runs = runs
        self.scale = scale
        self.minutes = minutes
        self.loads = 0

    def size(self, usual: int) -> int:
        """A number of commands, scaled; never so few that nothing is measured."""
        return max(20, int(usual * self.scale))

    def stage(self) -> Stage:
        return WarmStage(self)

    def fresh_stage(self) -> Stage:
        """For what isn't timed."""
        return Stage(self.build, self.partitions)

    def bare(self, stage: Stage, count: int, a_second: int = 0) -> dict[str, Any]:
        """Transactions of a command's records and offset; at no rate one after the other."""
        words = (*BARE_TOPICS, f"{count}/{a_second}", PAUSE_US, RETRY_BACKOFF_MS)
        return self.load(stage, "bare", "bench-bare", *words)

    def make_worker(self, stage: Stage, *registry_lines: str) -> BenchWorker:
        worker = BenchWorker(stage, *registry_lines)
        stage.workers.append(worker)
        return worker

    def add_worker(self, stage: Stage, *registry_lines: str) -> BenchWorker:
        worker = self.make_worker(stage, *registry_lines)
        worker.start()
        return worker

    def load(self, stage: Stage, mode: str, *words: str) -> dict[str, Any]:
        """One run of the load program; what it measured."""
        return self.end_load(stage, self.launch(stage, mode, *words))

    def launch(self, stage: Stage, mode: str, *words: str) -> subprocess.Popen:
        return subprocess.Popen(
            [str(stage.program("bench_load")), mode, stage.kafka.address, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end_load(
        self, stage: Stage, load: subprocess.Popen, timeout_s: float = LOAD_TIMEOUT_S
    ) -> dict[str, Any]:
        try:
            said, complaints = load.communicate(timeout=timeout_s)
        finally:
            load.kill()
            load.wait()
        if load.returncode != 0:
            why = complaints.strip() or f"bench_load ended with status {load.returncode}"
            raise ServiceError(f"{why}\n{stage.logs()}")
        return json.loads(said)

    def new_spaces(self) -> str:
        """A prefix of names that no earlier load has used."""
        self.loads += 1
        return f"bench-{self.loads}"

    def begin_load(self, stage: Stage) -> subprocess.Popen:
        """One command; the load ends when its result is there."""
        words = (COMMANDS_TOPIC, REGISTRY, self.new_spaces(), "1/1", "0", "berth.results")
        return self.launch(stage, "commands", *words)

    def send(
        self,
        stage: Stage,
        count: int,
        spaces: int,
        a_second: int = 0,
        topics: tuple[str, str] = (COMMANDS_TOPIC, RESULTS_TOPIC),
        mode: str = "commands",
    ) -> dict[str, Any]:
        """Sends commands for new spaces and waits for their results, which must all be successes:
        a refusal would be quicker."""
        words = (topics[0], REGISTRY, self.new_spaces(), f"{count}/{spaces}", str(a_second))
        said = self.load(stage, mode, *words, topics[1])
        if said["succeeded"] != count:
            raise ServiceError(f"{said['succeeded']} of {count} commands succeeded")
        return said

    def fill(self, stage: Stage, count: int) -> None:
        """Sends commands for new spaces and waits for nothing."""
        self.load(stage, "fill", COMMANDS_TOPIC, REGISTRY, self.new_spaces(), f"{count}/{count}")

    @staticmethod
    def fixed_job_ms() -> float:
        """CPU time of a job that never changes: what the machine gives at this moment. On a busy
        machine a command costs more, and so does this."""
        before_s = time.process_time()
        text = b"berth" * 1000
        for _ in range(20_000):
            text = hashlib.md5(text, usedforsecurity=False).digest() + text[16:]
        return 1000 * (time.process_time() - before_s)


class WarmStage(Stage):
    """A stage whose broker has made some thousand transactions before anything is timed."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench.build, bench.partitions)
        self.bench = bench

    def start(self) -> None:
        super().start()
        count = max(1, int(WARM_UP_TRANSACTIONS * self.bench.scale))
        rates = []
        for _ in range(WARM_UP_ROUNDS):
            rates.append(count / self.bench.bare(self, count)["seconds"])
        text = ", ".join(f"{rate:.0f}" for rate in rates)
        say(f"the broker's warm-up: {WARM_UP_ROUNDS} times {count} transactions: {text} a second")


def say(text: str) -> None:
    print(f"   {text}", flush=True)
