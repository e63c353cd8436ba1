# SPDX-License-Identifier: Apache-2.0
"""What ./dev bench measures, one function each."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Callable

from service import ServiceError
from stage import Stage, Worker
from table import Row

PARTITIONS = 12
LOAD_TIMEOUT_S = 600
TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")
REGISTRY = "alpha"
COMMANDS_TOPIC = f"berth.commands.{REGISTRY}"


class Bench:
    """What all measures share: which programs, how often, how much."""

    def __init__(self, build: Path, runs: int, scale: float) -> None:
        self.build = build.resolve()
        self.runs = runs
        self.scale = scale
        self.loads = 0

    def size(self, usual: int) -> int:
        """A number of commands, scaled; never so few that nothing is measured."""
        return max(20, int(usual * self.scale))

    def stage(self) -> Stage:
        return Stage(self.build, PARTITIONS)

    def run_load(self, stage: Stage, mode: str, *words: str) -> dict[str, Any]:
        """One run of the load program; what it measured."""
        program = stage.program("bench_load")
        done = subprocess.run(
            [str(program), mode, stage.kafka.address, *words],
            capture_output=True,
            text=True,
            timeout=LOAD_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            said = done.stderr.strip() or f"bench_load ended with status {done.returncode}"
            raise ServiceError(f"{said}\n{stage.logs()}")
        return json.loads(done.stdout)

    def send(self, stage: Stage, count: int, spaces: int, a_second: int = 0) -> dict[str, Any]:
        """Sends commands for spaces that no earlier load has used, and waits for their results,
        which must all be successes: a refusal would be quicker."""
        self.loads += 1
        prefix = f"bench-{self.loads}"
        words = (COMMANDS_TOPIC, "berth.results", REGISTRY, prefix, f"{count}/{spaces}")
        said = self.run_load(stage, "commands", *words, str(a_second))
        if said["succeeded"] != count:
            raise ServiceError(f"{said['succeeded']} of {count} commands succeeded")
        return said


def cpu_us(worker: Worker) -> float:
    """User and system time of the worker so far, in microseconds; in steps of a clock tick."""
    stat = Path(f"/proc/{worker.pid}/stat").read_text()
    fields = stat.rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * TICK_US


def say(text: str) -> None:
    print(f"   {text}", flush=True)


def measure_throughput(bench: Bench) -> list[Row]:
    """New spaces as fast as it goes, Harbor answering at once."""
    count = bench.size(30_000)
    rates, costs = [], []
    with bench.stage() as stage:
        worker = stage.add_worker()
        bench.send(stage, bench.size(500), bench.size(500))  # Connections are made.
        for _ in range(bench.runs):
            before_us = cpu_us(worker)
            said = bench.send(stage, count, count)
            costs.append((cpu_us(worker) - before_us) / count)
            rates.append(count / said["seconds"])
            say(f"{count} commands: {rates[-1]:.0f}/s, {costs[-1]:.1f} us CPU each")
    return [
        Row("commands (new spaces)", "1/s", rates),
        Row("CPU a command", "us", costs, at_most=45),
    ]


MEASURES: dict[str, Callable[[Bench], list[Row]]] = {
    "throughput": measure_throughput,
}
