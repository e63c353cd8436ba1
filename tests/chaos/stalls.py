# SPDX-License-Identifier: Apache-2.0
"""How long answers stop when a worker is killed and nothing else is wrong, with static membership
and without. The worker is started again a second later, as a supervisor would."""

import time
from pathlib import Path

from commands import REGISTRIES
from faults import LATENCY_MS, Crew
from plan import KILL, START, WORKERS, Event
from service import wait_until
from stage import Stage
from traffic import Traffic

PARTITIONS = 6
RATE = 60
RESTART_S = 1.0
# Long enough that the kill before has no part in the next one's stall.
QUIET_S = 8
ANSWER_S = 90


def measure_stalls(build: Path, kills: int, seed: int) -> dict[str, list[float]]:
    return {
        f"static_membership = {'yes' if static else 'no'}": measure(build, kills, seed, static)
        for static in (True, False)
    }


def measure(build: Path, kills: int, seed: int, static: bool) -> list[float]:
    stalls = []
    with Stage(build, PARTITIONS) as stage:
        for registry in REGISTRIES:
            stage.sandbox.faults(registry, latency_ms=LATENCY_MS)
        crew = Crew(stage)
        for name in WORKERS:
            crew.hire(name, static)
        crew.start_all()
        traffic = Traffic(stage.kafka.address, seed, RATE)
        traffic.start()
        try:
            for number in range(kills):
                time.sleep(QUIET_S)
                stalls.append(one_stall(crew, traffic, WORKERS[number % len(WORKERS)]))
                print(f"stall: static {static}, kill {number + 1}: {stalls[-1]:.1f} s", flush=True)
        finally:
            traffic.stop()
    return stalls


def one_stall(crew: Crew, traffic: Traffic, worker: str) -> float:
    crew.perform(Event(0, KILL, worker))
    at_s = crew.kills[-1][0]
    time.sleep(RESTART_S)
    crew.perform(Event(0, START, worker))
    waiting = {source for source, when in list(traffic.delivered.items()) if when <= at_s + 1}

    def all_went_on() -> bool:
        return waiting <= traffic.seen.keys() | traffic.silent

    wait_until("answers to all that waited", all_went_on, ANSWER_S, pause_s=0.2)
    return traffic.stall_after(at_s)


