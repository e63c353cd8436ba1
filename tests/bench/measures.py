# SPDX-License-Identifier: Apache-2.0
"""What ./dev bench measures, one function each: it makes its own stage, runs its job a number of
times and returns rows of the table."""

import socket
import statistics
import time
from base64 import b64encode
from typing import Any, Callable

from bench_stage import REGISTRY, Bench, BenchWorker, cpu_us, memory_mib, say
from service import wait_until
from stage import Stage
from table import Row

# Values of the design: what the table's aims are.
CPU_US_MAX = 45
BOUND_PERCENT_MIN = 95
LATENCY_RATIO_MAX = 1.5
IDLE_MIB_MAX = 15
BACKLOG_MIB_MAX = 40
# The bare transactions are as berth makes them (src/core/engine_publish.c): without the pause they
# would be slower, and the comparison too kind.
PAUSE_US = "1000"


def measure_throughput(bench: Bench) -> list[Row]:
    """New spaces as fast as it goes, Harbor answering at once."""
    count = bench.size(30_000)
    rates, costs, machine = [], [], []
    with bench.stage() as stage:
        worker = bench.add_worker(stage)
        bench.send(stage, bench.size(500), bench.size(500))  # Connections are made.
        for _ in range(bench.runs):
            machine.append(bench.fixed_job_ms())
            before_us = cpu_us(worker)
            said = bench.send(stage, count, count)
            costs.append((cpu_us(worker) - before_us) / count)
            rates.append(count / said["seconds"])
            say(f"{count} commands: {rates[-1]:.0f}/s, {costs[-1]:.1f} us CPU each")
    return [
        Row("new spaces", "1/s", rates),
        Row("CPU a command", "us", costs, at_most=CPU_US_MAX),
        Row("a fixed job, for comparison of machines", "ms CPU", machine),
    ]


def measure_bound(bench: Bench) -> list[Row]:
    """How much of limit / latency is reached: no worker can do more."""
    limit, latency_ms, spaces = 100, 20, bench.size(1_000)
    count = 10 * spaces
    shares = []
    with bench.stage() as stage:
        bench.add_worker(stage, f"limit = {limit}")
        bench.send(stage, spaces, spaces)
        stage.sandbox.faults(latency_ms=latency_ms)
        for _ in range(bench.runs):
            said = bench.send(stage, count, spaces)
            shares.append(100 * count * latency_ms / 1000 / limit / said["seconds"])
            say(f"{count} commands in {said['seconds']:.2f} s: {shares[-1]:.0f} % of the bound")
    return [
        Row(
            f"of the bound limit/latency ({limit} at once, {latency_ms} ms, {spaces} spaces)",
            "%",
            shares,
            at_least=BOUND_PERCENT_MIN,
        )
    ]


def measure_hot(bench: Bench) -> list[Row]:
    """One space: each command waits until the one before is settled."""
    count = bench.size(500)
    rates = []
    with bench.stage() as stage:
        bench.add_worker(stage)
        bench.send(stage, 20, 1)
        for _ in range(bench.runs):
            rates.append(count / bench.send(stage, count, 1)["seconds"])
            say(f"{count} commands of one space: {rates[-1]:.0f}/s")
    return [Row("commands of one hot space", "1/s", rates)]


def measure_latency(bench: Bench) -> list[Row]:
    """From the record to its result, beside transactions of the same size in the same run."""
    count, a_second = bench.size(1_000), 100
    topics = ("berth.commands.alpha", "berth.results", "berth.audit", "berth.spaces")
    found: dict[str, list[float]] = {}
    with bench.stage() as stage:
        bench.add_worker(stage)
        bench.send(stage, 200, 200, a_second)
        for _ in range(bench.runs):
            own_us = harbor_own_us(stage)
            berth = bench.send(stage, count, count, a_second)
            bare = bench.load(stage, "bare", "bench-bare", *topics, f"{count}/{a_second}", PAUSE_US)
            for name in ("p50", "p99"):
                found.setdefault("own", []).append(own_us / 1000)
                ours = (berth[f"{name}_us"] - own_us) / 1000
                theirs = bare["seen"][f"{name}_us"] / 1000
                found.setdefault(f"berth {name}", []).append(ours)
                found.setdefault(f"bare {name}", []).append(theirs)
                found.setdefault(f"commit {name}", []).append(
                    bare["committed"][f"{name}_us"] / 1000
                )
                found.setdefault(f"ratio {name}", []).append(ours / theirs)
                say(f"{name}: {ours:.1f} ms, bare {theirs:.1f} ms, ratio {ours / theirs:.2f}")
    rows = [Row("the stand-in's own time, taken off below", "ms", found["own"])]
    for name in ("p50", "p99"):
        rows += [
            Row(f"record to result at 100/s, {name}", "ms", found[f"berth {name}"]),
            Row(f"bare transaction until seen, {name}", "ms", found[f"bare {name}"]),
            Row(f"bare transaction until committed, {name}", "ms", found[f"commit {name}"]),
            Row(f"ratio {name}", "", found[f"ratio {name}"], at_most=LATENCY_RATIO_MAX),
        ]
    return rows


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
    Harbor."""
    waiting = bench.size(100_000)
    idle, loaded, backlog = [], [], []
    for _ in range(bench.runs):
        with bench.stage() as stage:
            worker = bench.add_worker(stage)
            wait_until("its partitions", lambda: has_partitions(worker, bench.partitions), 30)
            idle.append(memory_mib(worker, "VmRSS"))
            bench.send(stage, bench.size(10_000), bench.size(10_000))
            loaded.append(memory_mib(worker, "VmHWM"))
        with bench.stage() as stage:
            stage.sandbox.faults(latency_ms=1_000)
            bench.fill(stage, waiting)
            worker = bench.add_worker(stage)
            settled_mib = wait_for_full(worker)
            backlog.append(max(settled_mib, memory_mib(worker, "VmHWM")))
        say(f"idle {idle[-1]:.1f}, loaded {loaded[-1]:.1f}, backlog {backlog[-1]:.1f} MiB")
    return [
        Row("memory idle", "MiB", idle, at_most=IDLE_MIB_MAX),
        Row("memory at most, 10,000 commands at once", "MiB", loaded),
        Row("memory at most, 100,000 commands waiting", "MiB", backlog, at_most=BACKLOG_MIB_MAX),
    ]


def has_partitions(worker: BenchWorker, count: int) -> bool:
    return worker.log.read_text().count("partition.gained") >= count


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
    with bench.stage() as stage:
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
    "memory": measure_memory,
    "start": measure_start,
    "calls": measure_calls,
}
