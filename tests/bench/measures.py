# SPDX-License-Identifier: Apache-2.0
"""What ./dev bench measures, one function each: it makes its own stage, runs its job a number of
times and returns rows of the table."""

import socket
import statistics
import time
from base64 import b64encode
from typing import Any, Callable

from bench_stage import REGISTRY, Bench, BenchWorker, say
from processes import cpu_us, memory_mib, sleeps, wakeups
from service import Service, wait_until
from sides import BERTHD, FLOOR, Figures, Sides
from stage import Stage
from table import Row

# Values of the design: what the table's aims are.
CPU_US_MAX = 45
BOUND_PERCENT_MIN = 95
LATENCY_RATIO_MAX = 1.5
IDLE_MIB_MAX = 15
BACKLOG_MIB_MAX = 40
IDLE_S = 10


def measure_throughput(bench: Bench) -> list[Row]:
    """New spaces as fast as it goes, Harbor answering at once."""
    count = bench.size(30_000)
    figures, machine = Figures(), []
    with bench.stage() as stage:
        sides = Sides(bench, stage)
        for run in range(bench.runs):
            for side in sides.in_turn(run):
                with sides.turn(side):
                    sides.send(side, bench.size(500), bench.size(500))  # Connections are made.
                    machine.append(bench.fixed_job_ms())
                    turn = sides.measure(side, count, count)
                figures.add("rate", side, count / turn.said["seconds"])
                figures.add_costs(side, turn)
    return [
        figures.row("rate", "new spaces", "1/s"),
        *figures.cost_rows("all at once", at_most=CPU_US_MAX),
        Row("a fixed job, for comparison of machines", "ms CPU", machine),
    ]


def measure_bound(bench: Bench) -> list[Row]:
    """How much of limit / latency is reached: no worker can do more."""
    limit, latency_ms, spaces = 100, 20, bench.size(1_000)
    count = 10 * spaces
    figures = Figures()
    with bench.stage() as stage:
        sides = Sides(bench, stage, limit)
        for run in range(bench.runs):
            for side in sides.in_turn(run):
                # The floor only creates, so that each of its commands is for a space of its own.
                own = count if side == FLOOR else spaces
                with sides.turn(side):
                    stage.sandbox.faults()
                    sides.send(side, spaces, spaces)
                    stage.sandbox.faults(latency_ms=latency_ms)
                    turn = sides.measure(side, count, own)
                share = 100 * count * latency_ms / 1000 / limit / turn.said["seconds"]
                figures.add("share", side, share)
    what = f"of the bound limit/latency ({limit} at once, {latency_ms} ms, {spaces} spaces)"
    return [figures.row("share", what, "%", at_least=BOUND_PERCENT_MIN)]


def measure_hot(bench: Bench) -> list[Row]:
    """One space: each command waits until the one before is settled. So does the floor's."""
    count = bench.size(500)
    figures, bare = Figures(), []
    with bench.stage() as stage:
        sides = Sides(bench, stage, floor_jobs_max=1)
        for run in range(bench.runs):
            for side in sides.in_turn(run):
                spaces = count if side == FLOOR else 1
                with sides.turn(side):
                    sides.send(side, 20, 20)
                    turn = sides.measure(side, count, spaces)
                figures.add("rate", side, count / turn.said["seconds"])
            bare.append(count / bench.bare(stage, count)["seconds"])
            say(f"{count} bare transactions: {bare[-1]:.0f}/s")
    return [
        figures.row("rate", "commands of one hot space", "1/s"),
        Row("bare transactions, one after the other", "1/s", bare),
    ]


def measure_latency(bench: Bench) -> list[Row]:
    """From the record to its result, beside transactions of the same size in the same run."""
    count, a_second = bench.size(1_000), 100
    figures, own, bare = Figures(), [], Figures()
    with bench.stage() as stage:
        sides = Sides(bench, stage)
        for run in range(bench.runs):
            own.append(harbor_own_us(stage))
            for side in sides.in_turn(run):
                with sides.turn(side):
                    sides.send(side, bench.size(200), bench.size(200), a_second)
                    turn = sides.measure(side, count, count, a_second)
                figures.add_costs(side, turn)
                figures.add("wakeups", side, turn.wakeups)
                for name in ("p50", "p99"):
                    figures.add(name, side, (turn.said[f"{name}_us"] - own[-1]) / 1000)
            said = bench.bare(stage, count, a_second)
            for name in ("p50", "p99"):
                for point in ("seen", "committed"):
                    bare.add(f"{point} {name}", BERTHD, said[point][f"{name}_us"] / 1000)
                ours = figures.values[name][BERTHD][-1]
                theirs = bare.values[f"seen {name}"][BERTHD][-1]
                bare.add(f"ratio {name}", BERTHD, ours / theirs)
                say(f"{name}: {ours:.1f} ms, bare {theirs:.1f} ms, ratio {ours / theirs:.2f}")
    rows = [Row("the stand-in's own time, taken off below", "ms", [us / 1000 for us in own])]
    for name in ("p50", "p99"):
        rows += [
            figures.row(name, f"record to result at 100/s, {name}", "ms"),
            bare.row(f"seen {name}", f"bare transaction until seen, {name}", "ms"),
            bare.row(f"committed {name}", f"bare transaction until committed, {name}", "ms"),
            bare.row(f"ratio {name}", f"ratio {name}", "", at_most=LATENCY_RATIO_MAX),
        ]
    return [
        *rows,
        *figures.cost_rows("at 100/s"),
        figures.row("wakeups", "wake-ups at 100/s", "1/s"),
    ]


def measure_light(bench: Bench) -> list[Row]:
    """The load that most installations have: ten commands a second, and none at all."""
    count, a_second = bench.size(150), 10
    figures = Figures()
    with bench.stage() as stage:
        sides = Sides(bench, stage)
        for run in range(bench.runs):
            for side in sides.in_turn(run):
                with sides.turn(side) as service:
                    sides.send(side, 20, 20, a_second)
                    turn = sides.measure(side, count, count, a_second)
                    add_idle(bench, figures, side, service)
                figures.add_costs(side, turn)
                for name in ("p50", "p99"):
                    figures.add(name, side, turn.said[f"{name}_us"] / 1000)
    return [
        *(figures.row(name, f"record to result at 10/s, {name}", "ms") for name in ("p50", "p99")),
        *figures.cost_rows("at 10/s"),
        figures.row("idle", "CPU idle, each second", "ms"),
        figures.row("wakeups", "wake-ups idle", "1/s"),
    ]


def add_idle(bench: Bench, figures: Figures, side: str, service: Service) -> None:
    """What it does when there is nothing to do."""
    began_s, slept, before_us = time.monotonic(), sleeps(service), cpu_us(service)
    time.sleep(max(1, IDLE_S * min(1.0, bench.scale)))
    took_s = time.monotonic() - began_s
    figures.add("idle", side, (cpu_us(service) - before_us) / 1000 / took_s)
    figures.add("wakeups", side, wakeups(slept, sleeps(service)) / took_s)
    say(f"{side}, idle: {figures.values['idle'][side][-1]:.1f} ms of CPU a second, "
        f"{figures.values['wakeups'][side][-1]:.0f} wake-ups/s")  # fmt: skip


def harbor_own_us(stage: Stage) -> float:
    """How long the stand-in takes for a new project, asked over one connection. Not through an
    HTTP client of Python, which takes longer than the stand-in."""
    times = []
    sandbox = stage.sandbox
    login = b64encode(f"{sandbox.user}:{sandbox.password}".encode()).decode()
    with socket.create_connection(("127.0.0.1", sandbox.ports[REGISTRY]), timeout=10) as harbor:
        harbor.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(200):
            body = f'{{"project_name": "own-{time.monotonic_ns()}-{number}"}}'
            request = (
                f"POST /api/v2.0/projects HTTP/1.1\r\nHost: harbor\r\nAuthorization: Basic {login}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            ).encode()
            began_ns = time.monotonic_ns()
            harbor.sendall(request)
            reply = harbor.recv(4096)
            times.append((time.monotonic_ns() - began_ns) / 1000)
            assert reply.startswith(b"HTTP/1.1 201"), reply
    return statistics.median(times)


def measure_memory(bench: Bench) -> list[Row]:
    """Resident memory: idle, after much work, and with many commands waiting behind a slow
    Harbor. The floor takes in no more than it has at work, so its backlog would say nothing."""
    waiting, much = bench.size(100_000), bench.size(10_000)
    figures = Figures()
    for run in range(bench.runs):
        with bench.fresh_stage() as stage:
            sides = Sides(bench, stage)
            for side in sides.in_turn(run):
                with sides.turn(side) as service:
                    if isinstance(service, BenchWorker):
                        wait_for_partitions(service, bench.partitions)
                    figures.add("idle", side, memory_mib(service, "VmRSS"))
                    sides.send(side, much, much)
                    figures.add("loaded", side, memory_mib(service, "VmHWM"))
        with bench.fresh_stage() as stage:
            stage.sandbox.faults(latency_ms=1_000)
            bench.fill(stage, waiting)
            worker = bench.add_worker(stage)
            settled_mib = wait_for_full(worker)
            backlog = max(settled_mib, memory_mib(worker, "VmHWM"))
            figures.add("backlog", BERTHD, backlog)
        idle, loaded = (figures.values[what][BERTHD][-1] for what in ("idle", "loaded"))
        say(f"idle {idle:.1f}, loaded {loaded:.1f}, backlog {backlog:.1f} MiB")
    most = "memory at most"
    return [
        figures.row("idle", "memory idle", "MiB", at_most=IDLE_MIB_MAX),
        figures.row("loaded", f"{most}, 10,000 commands at once", "MiB"),
        figures.row("backlog", f"{most}, 100,000 commands waiting", "MiB", at_most=BACKLOG_MIB_MAX),
    ]


def wait_for_partitions(worker: BenchWorker, count: int) -> None:
    def gained() -> bool:
        return worker.log.read_text().count("partition.gained") >= count

    wait_until("its partitions", gained, 30)


def wait_for_full(worker: BenchWorker) -> float:
    """Waits until it takes in no more: its memory hasn't grown for three seconds (it may go on
    growing, as with a sanitizer's quarantine, so there is an end)."""
    most, since = 0.0, time.monotonic()
    end = since + 20
    while time.monotonic() < min(since + 3, end):
        now = memory_mib(worker, "VmRSS")
        if now > most:
            most, since = now, time.monotonic()
        time.sleep(0.1)
    return most


def measure_start(bench: Bench) -> list[Row]:
    """From the start of the process to the first result, the command waiting in its topic."""
    times: dict[str, list[float]] = {"new": [], "stopped": [], "killed": []}
    with bench.stage() as stage:
        worker = bench.make_worker(stage)
        for number in range(bench.runs):
            if number == 0:
                worker.choose_ports()
                times["new"].append(first_result_s(bench, stage, worker))
            worker.stop()
            times["stopped"].append(first_result_s(bench, stage, worker))
            worker.kill()
            times["killed"].append(first_result_s(bench, stage, worker))
    return [
        Row("first start to first result", "s", times["new"]),
        Row("restart to first result", "s", times["stopped"]),
        Row("restart after SIGKILL to first result", "s", times["killed"]),
    ]


def first_result_s(bench: Bench, stage: Stage, worker: BenchWorker) -> float:
    load = bench.begin_load(stage)
    time.sleep(1)  # The command is there; were it not, the figure would be too large.
    started_s = time.monotonic()
    worker.launch()
    took_s = bench.end_load(stage, load)["ended_us"] / 1_000_000 - started_s
    say(f"{took_s:.2f} s")
    worker.wait_ready()
    return took_s


def measure_calls(bench: Bench) -> list[Row]:
    """How many requests Harbor gets for one command of each kind; one run, since it never varies."""
    at = ("--registry", REGISTRY, "--space")
    bind = ("bind-workspace", *at, "calls", "--workspace")
    whole = ("set-workspace-bindings", *at, "calls", "--workspace")
    jobs: list[tuple[str, int, tuple[str, ...]]] = [
        ("create", 1, ("create-space", *at, "calls")),
        ("create with a quota", 2, ("create-space", *at, "calls-2", "--quota", "1000000000")),
        ("bind one workspace", 3, (*bind, "ant")),
        ("bind three workspaces", 7, (*bind, "bee", "--workspace", "cat", "--workspace", "dog")),
        ("bind what is bound", 3, (*bind, "ant")),
        ("unbind one workspace", 1, ("unbind-workspace", *at, "calls", "--workspace", "bee")),
        ("unbind what isn't bound", 2, ("unbind-workspace", *at, "calls", "--workspace", "bee")),
        ("set what is set", 2, (*whole, "ant", "--workspace", "cat", "--workspace", "dog")),
        ("update visibility", 1, ("update-space", *at, "calls", "--public")),
        ("update quota", 3, ("update-space", *at, "calls", "--quota", "2000000000")),
        ("delete", 3, ("delete-space", *at, "calls-2")),
        ("delete with bindings", 3, ("delete-space", *at, "calls", "--unbind")),
    ]
    rows = []
    with bench.fresh_stage() as stage:
        bench.add_worker(stage)
        for what, most, words in jobs:
            rows += call_rows(stage, what, most, words)
        again = ("create-space", *at, "again", "--id", "6f1c9f0e-8f0f-4d7c-9a52-1f3f3a1b7c11")
        stage.send(*again)
        rows += call_rows(stage, "the same again", 0, again)
        stage.redis.ask("DEL", f"berth:v1:space:{REGISTRY}/again")
        words = ("bind-workspace", *at, "again", "--workspace", "ant")
        rows += call_rows(stage, "bind, cold", 5, words)
    return rows


def call_rows(stage: Stage, what: str, most: int, words: tuple[str, ...]) -> list[Row]:
    """What the command takes, and the proofs that it was us who found nothing (docs/harbor.md); the
    login, which is one for all of them, isn't counted."""
    stage.sandbox.reset_counters(REGISTRY)
    result: dict[str, Any] = stage.send(*words)
    counters = stage.sandbox.counters(REGISTRY)
    for login in ("GET /systeminfo", "POST /c/login"):
        counters.pop(login, None)
    proofs = counters.pop("GET /users/current", 0)
    count = sum(counters.values())
    say(f"{words[0]}: {result['code']}, {count} calls, {proofs} proofs")
    rows = [Row(f"Harbor calls: {what}", "", [count], at_most=most)]
    if proofs > 0:
        rows.append(Row(f"Harbor calls: {what}, proofs", "", [proofs], at_most=1))
    return rows


MEASURES: dict[str, Callable[[Bench], list[Row]]] = {
    "throughput": measure_throughput,
    "bound": measure_bound,
    "hot": measure_hot,
    "latency": measure_latency,
    "light": measure_light,
    "memory": measure_memory,
    "start": measure_start,
    "calls": measure_calls,
}
