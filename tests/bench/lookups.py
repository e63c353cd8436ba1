#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long lookups take over HTTP: berthd on one core, Redis and the one who asks on another.

    lookups.py --build DIR [--spaces N] [--requests N] [--runs N] [--realtime]

The spaces are written into Redis in the documented layout (docs/redis.md), as berthd would have
left them: a registry of 100,000, each bound to two of 20,000 workspaces with 10 spaces each.
--realtime (root) puts the three before all other processes, for a machine that others use, too.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

# pylint: disable=wrong-import-position
from service import Service, exit_on_sigterm  # noqa: E402
from services import Redis  # noqa: E402
from stage import Stage, Worker  # noqa: E402

REGISTRY = "alpha"
PREFIX = "berth:v1:"
BINDINGS_A_SPACE = 2
SPACES_A_WORKSPACE = 10
PUBLIC_EVERY = 10
PAGE = 100
AIM_US = 1000
CREATED_BY = "6f1c9f0e-8f0f-4d7c-9a52-1f3f3a1b7c11"
TARGETS_MAX = 20_000


@dataclass
class Figure:
    """One line of the table: the figures of all runs."""

    what: str
    p50_us: list[float]
    p99_us: list[float]
    body_bytes: int


def name_of(number: int) -> str:
    return f"space-{number:06}"


def workspaces_of(number: int, workspaces: int) -> list[str]:
    """Spaces that are far apart share a workspace, so that no page is of one."""
    return [f"team-{(number + turn * 7919) % workspaces:05}" for turn in range(BINDINGS_A_SPACE)]


def commands_of(number: int, workspaces: int) -> Iterator[list[str]]:
    """What a STORE writes of one space."""
    member = f"{REGISTRY}/{name_of(number)}"
    public = number % PUBLIC_EVERY == 0
    now_ms = str(1_700_000_000_000 + number)
    fields = ["state", "present", "version", f"1700000000{number:06}", "token"]
    fields += [f"1700000000{number:06}", "project_id", str(number + 100), "visibility"]
    fields += ["PUBLIC" if public else "PRIVATE", "quota_bytes", "-1", "created_by", CREATED_BY]
    fields += ["updated_by", CREATED_BY, "updated_at", now_ms, "verified_at", now_ms]
    bound = workspaces_of(number, workspaces)
    for turn, workspace in enumerate(bound):
        fields += [f"binding:{workspace}", f"{number * 2 + turn + 1} 0badc0de active"]
    yield ["HSET", f"{PREFIX}space:{member}", *fields]
    yield ["ZADD", f"{PREFIX}registry:{REGISTRY}", "0", member]
    if public:
        yield ["ZADD", f"{PREFIX}registry:{REGISTRY}:public", "0", member]
    for workspace in bound:
        yield ["ZADD", f"{PREFIX}workspace:{workspace}", "0", member]


def fill(redis: Redis, spaces: int) -> None:
    """Through redis-cli, which reads commands as they go over the wire."""
    workspaces = max(1, spaces * BINDINGS_A_SPACE // SPACES_A_WORKSPACE)
    command = ["redis-cli", "-p", str(redis.port), "--pipe"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as client:
        assert client.stdin is not None
        for number in range(spaces):
            for words in commands_of(number, workspaces):
                parts = [f"*{len(words)}\r\n"]
                parts += [f"${len(word)}\r\n{word}\r\n" for word in words]
                client.stdin.write("".join(parts).encode())
        client.stdin.close()
        if client.wait() != 0:
            raise SystemExit("bench: Redis couldn't be filled")
    found = redis.ask("ZCARD", f"{PREFIX}registry:{REGISTRY}")
    if found < spaces:
        raise SystemExit(f"bench: {found} of {spaces} spaces are in Redis")


def pin(service: Service, core: int) -> None:
    """All threads that it has."""
    for task in Path(f"/proc/{service.pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


def put_before_others(service: Service) -> None:
    for task in Path(f"/proc/{service.pid}/task").iterdir():
        os.sched_setscheduler(int(task.name), os.SCHED_FIFO, os.sched_param(1))


def targets_of(spaces: int) -> dict[str, list[str]]:
    """What is asked for, in an order that repeats no key soon."""
    chosen = random.Random(1)
    workspaces = max(1, spaces * BINDINGS_A_SPACE // SPACES_A_WORKSPACE)
    numbers = [chosen.randrange(spaces) for _ in range(min(TARGETS_MAX, spaces))]
    at = f"/v1/registries/{REGISTRY}/spaces"
    teams = [f"team-{number % workspaces:05}" for number in numbers]
    return {
        "one space": [f"{at}/{name_of(number)}" for number in numbers],
        f"a page of {PAGE} of {spaces:,} spaces": [
            f"{at}?limit={PAGE}&after={REGISTRY}/{name_of(max(0, number - PAGE))}"
            for number in numbers
        ],
        f"a workspace of {SPACES_A_WORKSPACE} spaces": [
            f"/v1/workspaces/{team}/spaces" for team in teams
        ],
        f"the same and all public ones, a page of {PAGE}": [
            f"/v1/workspaces/{team}/spaces?public=true&limit={PAGE}" for team in teams
        ],
        "/livez, with a connection each: no lookup": ["/livez"],
    }


def ask(stage: Stage, worker: Worker, core: int, count: int, targets: list[str]) -> dict[str, Any]:
    """One run of the load program, which is scheduled as the worker is."""
    scheduler = os.sched_getscheduler(worker.pid)
    priority = os.sched_getparam(worker.pid)

    def prepare() -> None:
        os.sched_setaffinity(0, {core})
        os.sched_setscheduler(0, scheduler, priority)

    done = subprocess.run(
        [str(stage.program("bench_http")), str(worker.admin_port), str(count)],
        input="\n".join(targets) + "\n",
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        preexec_fn=prepare,
    )
    return json.loads(done.stdout)


def measure(build: Path, spaces: int, requests: int, runs: int, realtime: bool) -> list[Figure]:
    cores = sorted(os.sched_getaffinity(0))
    daemon_core, other_core = cores[0], cores[-1]
    figures = []
    with Stage(build, partitions=1) as stage:
        worker = stage.add_worker()
        began_s = time.monotonic()
        fill(stage.redis, spaces)
        print(f"== {spaces} spaces in Redis after {time.monotonic() - began_s:.0f} s", flush=True)
        pin(worker, daemon_core)
        for service in stage.services():
            pin(service, other_core)
        for service in [worker, stage.redis] if realtime else []:
            put_before_others(service)
        for what, targets in targets_of(spaces).items():
            ask(stage, worker, other_core, max(1, requests // 10), targets)
            said = [ask(stage, worker, other_core, requests, targets) for _ in range(runs)]
            figures.append(
                Figure(
                    what,
                    [one["p50_us"] for one in said],
                    [one["p99_us"] for one in said],
                    said[0]["body_bytes"],
                )
            )
            print(f"   {what}: {said}", flush=True)
    return figures


def print_table(build: Path, figures: list[Figure], requests: int, runs: int) -> None:
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(
        f"\n{os.cpu_count()} cores, {memory_kib / 1024 / 1024:.0f} GiB; load average {load}; build "
        f"{build.name}; medians of {runs} runs of {requests} requests, one after the other\n"
    )
    print("| lookup, answered from Redis | bytes | p50 us | p99 us | aim us |")
    print("| --- | ---: | ---: | ---: | --- |")
    for figure in figures:
        p50, p99 = statistics.median(figure.p50_us), statistics.median(figure.p99_us)
        print(f"| {figure.what} | {figure.body_bytes:,} | {p50:,.0f} | {p99:,.0f} | < {AIM_US:,} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--build", type=Path, required=True, help="build folder with bin/berthd")
    parser.add_argument("--spaces", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=20_000, help="of each run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--realtime", action="store_true", help="before all others; needs root")
    arguments = parser.parse_args()
    exit_on_sigterm()
    figures = measure(
        arguments.build,
        arguments.spaces,
        arguments.requests,
        arguments.runs,
        arguments.realtime,
    )
    print_table(arguments.build, figures, arguments.requests, arguments.runs)


if __name__ == "__main__":
    main()
