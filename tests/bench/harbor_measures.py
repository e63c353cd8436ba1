# SPDX-License-Identifier: Apache-2.0
"""What ./dev bench measures of life with a Harbor that checks passwords slowly, is away, or fails for
some spaces. Each compares two stages that run side by side, so that a busy machine slows both."""

import subprocess
import time
import urllib.request
import uuid
from collections import deque
from typing import Any, Callable, Iterator, Optional

from bench_stage import COMMANDS_TOPIC, REGISTRY, RESULTS_TOPIC, Bench, BenchWorker, say
from processes import memory_mib
from service import wait_until
from stage import Stage
from table import Row

PASSWORD_MS = 100
LOGIN_RATIO_MIN = 30
CALLS_RATIO = 20  # So many more commands with a session, which is so much quicker.

# The healthy registry is bound by Harbor, not by this machine: 16 at once, 50 ms each.
LIMIT, LATENCY_MS = 16, 50
BOUND_A_SECOND = LIMIT * 1000 / LATENCY_MS
THROUGHPUT_RATIO_MIN = 0.95
SLICE_S_MIN, SLICES_MAX = 5, 20
RETURN_S_MAX = 5
MEMORY_RATIO_MAX = 1.1

SICK = "beta"
SICK_A_SECOND = 1
GOOD_SPACES, FAILING_SPACES = 400, 100
# Three quarters of what Harbor can do. At its bound each call for a failing space is, whatever berth
# does, a call less for a good one.
GOOD_A_SECOND = 240
# berthd's own defaults: what a command that fails has until it is given up.
AGE_S = 300
FAILING_ROUTE = "POST /robots"
DRAIN_S = 120


def measure_sessions(bench: Bench) -> list[Row]:
    """Commands of one call each, with a password in every request and with a session."""
    count = bench.size(200)
    rates: dict[str, list[float]] = {"basic": [], "session": []}
    sent = {"basic": 20, "session": 20}
    with bench.stage() as basic, bench.stage() as session:
        stages = {"basic": basic, "session": session}
        for login, stage in stages.items():
            stage.sandbox.faults(password_ms=PASSWORD_MS)
            bench.add_worker(stage, f"login = {login}")
            bench.send(stage, 20, 20)
        for _ in range(bench.runs):
            for login, stage in stages.items():
                commands = count * (CALLS_RATIO if login == "session" else 1)
                rates[login].append(commands / bench.send(stage, commands, commands)["seconds"])
                sent[login] += commands
                say(f"{login}: {rates[login][-1]:.0f}/s")
        costs = {
            login: [password_checks(stage, login) * PASSWORD_MS / sent[login]]
            for login, stage in stages.items()
        }
    ratios = [one / other for one, other in zip(rates["session"], rates["basic"])]
    return [
        Row(f"new spaces with Basic, {PASSWORD_MS} ms a password", "1/s", rates["basic"]),
        Row("new spaces with a session", "1/s", rates["session"]),
        Row("ratio, session to Basic", "", ratios, at_least=LOGIN_RATIO_MIN),
        Row("Harbor's CPU for passwords a command, Basic", "ms", costs["basic"]),
        Row("Harbor's CPU for passwords a command, session", "ms", costs["session"]),
    ]


def password_checks(stage: Stage, login: str) -> int:
    """How often Harbor had to check a password since the stage began."""
    counters = stage.sandbox.counters(REGISTRY)
    logins = sum(number for route, number in counters.items() if "/c/login" in route)
    return logins if login == "session" else sum(counters.values())


class Pair:
    """Two stages with the same endless work on a healthy registry, one of them in trouble besides."""

    def __init__(self, bench: Bench, troubled: Stage, spared: Stage, a_second: int) -> None:
        """a_second: commands that are sent; 0: so many that some are always waiting."""
        self.bench = bench
        self.a_second = a_second
        self.stages = (troubled, spared)
        self.workers: list[BenchWorker] = []
        self.loads: list[subprocess.Popen] = []
        self.rates: tuple[list[float], list[float]] = ([], [])
        self.memory: list[float] = []
        self.seconds = bench.minutes * 60
        self.slices_count = max(3, min(SLICES_MAX, int(self.seconds / SLICE_S_MIN)))
        self.slice_s = self.seconds / self.slices_count
        self.count = max(200, int((a_second or BOUND_A_SECOND) * self.seconds))
        for stage in self.stages:
            self.workers.append(bench.add_worker(stage, f"limit = {LIMIT}"))
            bench.send(stage, 50, 50)
            stage.sandbox.faults(REGISTRY, latency_ms=LATENCY_MS)

    def start(self) -> None:
        spaces = min(GOOD_SPACES, self.count)
        for stage in self.stages:
            words = (COMMANDS_TOPIC, REGISTRY, self.bench.new_spaces(), f"{self.count}/{spaces}")
            words += (str(self.a_second), RESULTS_TOPIC)
            self.loads.append(self.bench.launch(stage, "commands", *words))

    def slices(self) -> Iterator[int]:
        """The time that the work lasts, cut; what was settled in each slice is kept."""
        before: Optional[list[float]] = None
        for number in range(self.slices_count):
            if any(load.poll() is not None for load in self.loads):
                return
            began_s = time.monotonic()
            yield number
            time.sleep(max(0.0, began_s + self.slice_s - time.monotonic()))
            settled = [settled_by(worker) for worker in self.workers]
            if before is not None:
                for rates, now, then in zip(self.rates, settled, before):
                    rates.append((now - then) / (time.monotonic() - began_s))
            before = settled
            self.memory.append(memory_mib(self.workers[0], "VmRSS"))

    def finish(self) -> list[dict[str, Any]]:
        limit_s = self.seconds * 5 + DRAIN_S
        said = [
            self.bench.end_load(stage, load, limit_s)
            for stage, load in zip(self.stages, self.loads)
        ]
        for one in said:
            if one["succeeded"] != self.count:
                say(f"only {one['succeeded']} of {self.count} commands succeeded")
        return said

    def rows(self, name: str, said: list[dict[str, Any]]) -> list[Row]:
        troubled, spared = (self.count / one["seconds"] for one in said)
        third = max(1, len(self.memory) // 3)
        first, last = max(self.memory[:third]), max(self.memory[-third:])
        return [
            Row(f"healthy, beside {name}", "1/s", self.rates[0] or [troubled]),
            Row("healthy, without", "1/s", self.rates[1] or [spared]),
            Row("ratio over the whole time", "", [troubled / spared], at_least=THROUGHPUT_RATIO_MIN),
            Row(f"memory beside {name}, last third", "MiB", [last]),
            Row("ratio to the first third", "", [last / first], at_most=MEMORY_RATIO_MAX),
        ]


def settled_by(worker: BenchWorker) -> float:
    url = f"http://127.0.0.1:{worker.admin_port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as reply:
        for line in reply.read().decode().splitlines():
            if line.startswith("berth_records_settled_total "):
                return float(line.split()[1])
    return 0


def measure_sick(bench: Bench) -> list[Row]:
    """One registry refuses connections all the time, beside a healthy one."""
    with bench.stage() as sick, bench.stage() as well:
        pair = Pair(bench, sick, well, a_second=0)
        sick.sandbox.faults(SICK, away="refuse")
        pair.start()
        waiting = 0
        for _number in pair.slices():
            more = max(1, int(pair.slice_s * SICK_A_SECOND))
            names = [f"waiting-{waiting + one:06}" for one in range(more)]
            sick.send_batch([f"create-space --registry {SICK} --space {name}" for name in names])
            waiting += more
        said = pair.finish()
        done = settled_by(pair.workers[0])
        sick.sandbox.faults(SICK)
        back_s = time.monotonic()
        wait_until(
            "what waited for the sick registry is settled",
            lambda: settled_by(pair.workers[0]) >= done + waiting,
            DRAIN_S,
        )
        returned_s = time.monotonic() - back_s
        return [
            *pair.rows(f"one that is down for {bench.minutes:g} min", said),
            Row(f"{waiting} commands that waited, done after", "s", [returned_s],
                at_most=RETURN_S_MAX),
            Row("dead letters", "", [len(sick.tail("dlq"))], at_most=0),
        ]  # fmt: skip


def measure_failing(bench: Bench, a_second: int = GOOD_A_SECOND) -> list[Row]:
    """A fifth of all spaces always have a command at work that fails with 500."""
    spaces = max(2, int(FAILING_SPACES * min(1.0, bench.scale)))
    age_s = min(AGE_S, bench.minutes * 60 / 2)
    with bench.stage() as troubled, bench.stage() as spared:
        pair = Pair(bench, troubled, spared, a_second)
        names = deque(f"failing-{number:04}" for number in range(spaces))
        created = settled_by(pair.workers[0]) + spaces
        troubled.send_batch([f"create-space --registry {REGISTRY} --space {one}" for one in names])
        wait_until(
            "the spaces that are to fail are there",
            lambda: settled_by(pair.workers[0]) >= created,
            DRAIN_S,
        )
        troubled.sandbox.add_rule(REGISTRY, route=FAILING_ROUTE, status=500)
        calls = [calls_to(stage) for stage in pair.stages]
        pair.start()
        sent, began_s = 0, time.monotonic()
        for _number in pair.slices():
            due = spaces * (1 + int((time.monotonic() - began_s) / age_s)) - sent
            if due > 0:
                troubled.send_batch([bind_line(names) for _ in range(due)])
                sent += due
        said = pair.finish()
        took_s = time.monotonic() - began_s
        more = [calls_to(stage) - before for stage, before in zip(pair.stages, calls)]
        return [
            *pair.rows(f"{spaces} failing spaces ({GOOD_SPACES} good ones)", said),
            Row("calls for the failing ones", "1/s", [(more[0] - more[1]) / took_s]),
            Row(f"commands that fail, one a space each {age_s:g} s", "", [sent]),
            Row("of these given up (dead letters)", "", [len(troubled.tail("dlq"))]),
        ]


def measure_failing_at_bound(bench: Bench) -> list[Row]:
    """The same while Harbor has nothing left: who wins its calls?"""
    return measure_failing(bench, a_second=0)


def calls_to(stage: Stage) -> int:
    return int(sum(stage.sandbox.counters(REGISTRY).values()))


def bind_line(names: deque) -> str:
    names.rotate(-1)
    words = f"bind-workspace --registry {REGISTRY} --space {names[0]} --workspace blue"
    return f"{words} --id {uuid.uuid4()}"


LONG_MEASURES: dict[str, Callable[[Bench], list[Row]]] = {
    "sick": measure_sick,
    "failing": measure_failing,
    "failing_at_bound": measure_failing_at_bound,
}
