# SPDX-License-Identifier: Apache-2.0
"""Who does the same work in one run, turn by turn: berthd, the floor (the same wire work with the
same libraries and nothing else) and, if asked for, the berthd of another build.

All of them use one Kafka, one Redis and one stand-in, with topics, a group and keys of their own. Only
the one whose turn it is runs, so none costs the others anything."""

import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence

from bench_stage import (
    COMMANDS_TOPIC,
    PAUSE_US,
    REGISTRY,
    RESULTS_TOPIC,
    RETRY_BACKOFF_MS,
    Bench,
    BenchWorker,
    say,
)
from processes import cpu_us, sleeps, wakeups
from service import Service
from services import ROOT
from stage import Stage
from table import Row

BERTHD, FLOOR, BESIDE = "berthd", "floor", "beside"
KINDS = ("results", "audit", "spaces", "dlq")
SCHEMA = ROOT / "schemas" / "CreateSpace.avsc"
# berthd's own defaults.
LIMIT, WINDOW = 16, 1024
# What is left to be done when the last result has been read.
AFTER_S = 0.1


@dataclass
class Turn:
    """What one turn of one side took."""

    said: dict[str, Any]  # By the load.
    cpu_us: float  # This and the next two: a command.
    redis_us: float
    kafka_us: float
    wakeups: float  # A second.


class Floor(Service):
    """tests/bench/floor.c"""

    def __init__(self, stage: Stage, limit: int, jobs_max: int) -> None:
        super().__init__(FLOOR, stage.folder / FLOOR)
        self.stage = stage
        self.limit = limit
        self.jobs_max = jobs_max

    def command(self) -> list[str]:
        sandbox = self.stage.sandbox
        topics = [commands_topic(FLOOR), *(f"{FLOOR}.{kind}" for kind in KINDS[:3])]
        words = [self.stage.program("bench_floor"), self.stage.kafka_address, *topics, SCHEMA]
        words += [self.stage.redis.port, sandbox.url(REGISTRY)]
        words += [f"{sandbox.user}:{sandbox.password}", self.limit, self.jobs_max]
        return [str(word) for word in [*words, PAUSE_US, RETRY_BACKOFF_MS]]

    def launch(self) -> None:
        self.log.unlink(missing_ok=True)  # So that an earlier "ready" doesn't count.
        super().launch()

    def ready(self) -> bool:
        return "ready" in self.log.read_text()


class BesideWorker(BenchWorker):
    """The berthd of another build, which may keep its data in another way: none of it is shared."""

    def __init__(self, stage: Stage, program: Path, *registry_lines: str) -> None:
        super().__init__(stage, *registry_lines, instance=BESIDE)
        self.berthd = program

    def choose_ports(self) -> None:
        super().choose_ports()
        self.configuration.write_text(on_its_own(BESIDE, self.configuration.read_text()))

    def command(self) -> list[str]:
        return [str(self.berthd), *super().command()[1:]]


def commands_topic(side: str) -> str:
    return COMMANDS_TOPIC if side == BERTHD else f"{side}.commands"


def on_its_own(side: str, configuration: str) -> str:
    """The configuration with a group, topics and a prefix in Redis that are the side's."""
    topics = [f"{kind} = {side}.{kind}" for kind in KINDS]
    parts = {
        "group = berth\n": f"group = {side}\n",
        "[redis]\n": "\n".join(["[topics]", *topics, "[redis]", f"prefix = {side}:v1:", ""]),
        f"[registry {REGISTRY}]\n": (
            f"[registry {REGISTRY}]\ncommand_topic = {commands_topic(side)}\n"
        ),
    }
    for old, new in parts.items():
        configuration = configuration.replace(old, new, 1)
    return configuration


class Sides:
    """All sides on one stage."""

    def __init__(
        self,
        bench: Bench,
        stage: Stage,
        limit: int = LIMIT,
        floor_jobs_max: int = WINDOW,
    ) -> None:
        """limit: Harbor's requests at once. floor_jobs_max: 1 is one command after the other."""
        self.bench = bench
        self.stage = stage
        line = f"limit = {limit}"
        self.services: dict[str, Service] = {
            BERTHD: bench.make_worker(stage, line),
            FLOOR: Floor(stage, limit, floor_jobs_max),
        }
        if bench.beside is not None:
            self.services[BESIDE] = BesideWorker(stage, bench.beside, line)
        for name, service in self.services.items():
            if name != BERTHD:
                stage.workers.append(service)  # Ended with it, and its log is shown.
                self.make_topics(name)
        self.started: set[str] = set()

    def make_topics(self, side: str) -> None:
        file = self.stage.folder / f"{side}.conf"
        file.write_text(on_its_own(side, self.stage.client_configuration.read_text()))
        count = str(self.stage.partitions)
        self.stage.berth("-c", str(file), "topics", "--create", "--partitions", count)

    def in_turn(self, run: int) -> list[str]:
        """All of them; another begins in each run, since the services grow warmer and fuller."""
        names = list(self.services)
        first = run % len(names)
        return names[first:] + names[:first]

    @contextmanager
    def turn(self, side: str) -> Iterator[Service]:
        """Runs it, and nobody else, meanwhile."""
        service = self.services[side]
        if side in self.started:
            service.start_again()
        else:
            service.start()
            self.started.add(side)
        try:
            yield service
        finally:
            service.stop()

    def send(self, side: str, count: int, spaces: int, a_second: int = 0) -> dict[str, Any]:
        results = RESULTS_TOPIC if side == BERTHD else f"{side}.results"
        return self.bench.send(
            self.stage,
            count,
            spaces,
            a_second,
            topics=(commands_topic(side), results),
            mode="records" if side == FLOOR else "commands",
        )

    def measure(self, side: str, count: int, spaces: int, a_second: int = 0) -> Turn:
        """The side's turn must be on."""
        everybody = [self.services[side], self.stage.redis, self.stage.kafka]
        began_s, slept = time.monotonic(), sleeps(everybody[0])
        before = [cpu_us(one) for one in everybody]
        said = self.send(side, count, spaces, a_second)
        time.sleep(AFTER_S)
        costs = [(cpu_us(one) - then) / count for one, then in zip(everybody, before)]
        woken = wakeups(slept, sleeps(everybody[0])) / (time.monotonic() - began_s)
        say(f"{side}: {count / said['seconds']:.0f}/s, {said['p50_us'] / 1000:.1f} ms p50, "
            f"CPU a command {costs[0]:.0f} us, Redis {costs[1]:.0f}, Kafka {costs[2]:.0f}, "
            f"{woken:.0f} wake-ups/s")  # fmt: skip
        return Turn(said, *costs, woken)


class Figures:
    """What was measured, by the name of the figure and the side."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(self, what: str, side: str, value: float) -> None:
        self.values[what][side].append(value)

    def add_costs(self, side: str, turn: Turn) -> None:
        self.add("cpu", side, turn.cpu_us)
        self.add("redis", side, turn.redis_us)
        self.add("kafka", side, turn.kafka_us)

    def row(
        self,
        what: str,
        text: str,
        unit: str,
        at_most: Optional[float] = None,
        at_least: Optional[float] = None,
    ) -> Row:
        sides = self.values[what]
        return Row(text, unit, sides[BERTHD], at_most, at_least,
                   floor=sides.get(FLOOR, ()), beside=sides.get(BESIDE, ()))  # fmt: skip

    def cost_rows(self, when: str, at_most: Optional[float] = None) -> Sequence[Row]:
        return [
            self.row("cpu", f"CPU a command, {when}", "us", at_most),
            self.row("redis", f"Redis' CPU a command, {when}", "us"),
            self.row("kafka", f"Kafka's CPU a command, {when}", "us"),
        ]
