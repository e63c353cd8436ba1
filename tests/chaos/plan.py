# SPDX-License-Identifier: Apache-2.0
"""What goes wrong and when, made from a seed before anything runs: the same seed, the same plan."""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

WORKERS = ("worker-1", "worker-2", "worker-3")
EXTRA_WORKER = "worker-4"
KAFKA, REDIS, HARBOR = "kafka", "redis", "harbor"
REGISTRIES = ("alpha", "beta")

KILL, START, FREEZE, THAW, STOP, FAULTS, HOLD = (
    "kill", "start", "freeze", "thaw", "stop", "faults", "hold",
)  # fmt: skip

# Seconds from one kill to the next: 2.5 on average.
KILL_EVERY_S = (1.5, 3.5)
OTHERS_EVERY_S = (1.0, 5.0)
# The stand-in is never killed, because its memory is the truth, and never held for longer than a
# restarted worker leaves the lanes of its own earlier run alone: what Harbor holds for longer may
# be applied late, and that isn't promised (design 4.7).
HARBOR_HELD_S = 1.0
LATENCY_MS_MAX = 800

# What Harbor does, for some seconds (docs/sandbox.md): to everything, or to one kind of request.
FAULT_KINDS = (
    {"latency_ms": 0},
    {"away": "refuse"},
    {"away": "reset"},
    {"away": "reset", "commit_ms": 0},
    {"away": "reset_after"},
    {"away": "reset_after"},
    {"away": "hang"},
    {"read_only": True},
    {"status": 500},
    {"status": 500, "apply": True},
    {"status": 502, "body": "html"},
    {"status": 503, "retry_after_s": 1},
    {"status": 429, "retry_after_s": 1},
    {"status": 401},
    {"status": 403},
    {"body": "html"},
    {"body": "cut"},
    {"body": "truncated"},
    {"body": "wrong_type"},
    {"request_id": "strip"},
    {"request_id": "wrong"},
    {"session": "unknown"},
    {"session": "userless"},
)
ROUTES = (
    "POST /projects", "GET /projects/{name_or_id}", "PUT /projects/{name_or_id}",
    "DELETE /projects/{name_or_id}", "GET /quotas", "PUT /quotas/{id}",
    "POST /robots", "GET /robots", "PATCH /robots/{robot_id}", "DELETE /robots/{robot_id}",
)  # fmt: skip

KILLS = {KAFKA: 8, REDIS: 12, **{worker: 26 for worker in WORKERS}}


@dataclass(frozen=True)
class Event:
    at_s: float
    verb: str
    target: str
    detail: Any = None


@dataclass
class Plan:
    events: list[Event] = field(default_factory=list)

    @property
    def ends_s(self) -> float:
        return max((event.at_s for event in self.events), default=0)

    def count(self) -> Counter:
        return Counter(event.verb for event in self.events)


class Planner:
    """Keeps track of who is in trouble until when, so that nobody is killed who is down."""

    def __init__(self, seed: int, kills: int, seconds: float) -> None:
        self.random = random.Random(seed)
        self.events: list[Event] = []
        self.busy_until = {name: 0.0 for name in (*KILLS, HARBOR, EXTRA_WORKER, *REGISTRIES)}
        self.extra_is_there = False
        self.kills = kills
        average_s = sum(KILL_EVERY_S) / 2
        self.stretch = seconds / (kills * average_s) if seconds else 1.0
        # The others end with the kills.
        self.until_s = kills * average_s * self.stretch

    def plan(self) -> Plan:
        kill_s = other_s = 0.0
        kills = 0
        while kills < self.kills:
            if kill_s <= other_s:
                kills += self.kill(kill_s)
                kill_s += self.random.uniform(*KILL_EVERY_S) * self.stretch
            else:
                self.something_else(other_s)
                other_s += self.random.uniform(*OTHERS_EVERY_S) * self.stretch
        if self.extra_is_there:
            self.add(kill_s, STOP, EXTRA_WORKER)
        return Plan(sorted(self.events, key=lambda event: event.at_s))

    def add(self, at_s: float, verb: str, target: str, detail: Any = None) -> None:
        self.events.append(Event(at_s, verb, target, detail))

    def free(self, names: Any, at_s: float) -> list[str]:
        return [name for name in names if self.busy_until[name] <= at_s]

    def kill(self, at_s: float) -> int:
        """How many were killed: none, when everybody is down."""
        free = self.free(KILLS, at_s)
        if not free:
            return 0
        target = self.random.choices(free, [KILLS[name] for name in free])[0]
        if target in WORKERS:
            # At once, as a supervisor does; soon; or after the group has given it up.
            longest_s = self.random.choice((0.2, 3.0, 3.0, 10.0))
        else:
            longest_s = 3.0
        self.ends_and_starts(at_s, KILL, target, self.random.uniform(0, longest_s))
        return 1

    def ends_and_starts(self, at_s: float, verb: str, target: str, away_s: float) -> None:
        self.add(at_s, verb, target)
        self.add(at_s + away_s, START, target)
        self.busy_until[target] = at_s + away_s + (3.0 if target == KAFKA else 0.3)

    def something_else(self, at_s: float) -> None:
        chance = self.random.uniform(0, 100)
        if chance < 45:
            self.harbor_fault(at_s)
        elif chance < 70:
            self.freeze(at_s)
        elif chance < 80:
            self.add(at_s, HOLD, HARBOR, self.random.uniform(0.1, HARBOR_HELD_S))
        elif chance < 90:
            self.restart(at_s)
        else:
            self.join_or_leave(at_s)

    def harbor_fault(self, at_s: float) -> None:
        free = self.free(REGISTRIES, at_s)
        if not free:
            return
        registry = self.random.choice(free)
        fault = dict(self.random.choice(FAULT_KINDS))
        for name in ("latency_ms", "commit_ms"):
            if name in fault or (name == "latency_ms" and self.random.random() < 0.3):
                fault[name] = self.random.randrange(20, LATENCY_MS_MAX)
        if self.random.random() < 0.3 and fault.get("away") != "refuse":
            fault["route"] = self.random.choice(ROUTES)
        lasts_s = self.random.uniform(0.3, 5.0)
        self.add(at_s, FAULTS, registry, fault)
        self.add(at_s + lasts_s, FAULTS, registry, {})
        self.busy_until[registry] = at_s + lasts_s

    def freeze(self, at_s: float) -> None:
        free = self.free((*WORKERS, *WORKERS, KAFKA, REDIS), at_s)
        if not free:
            return
        target = self.random.choice(free)
        # A worker now and then for longer than its lease and its session.
        long = target in WORKERS and self.random.random() < 0.2
        lasts_s = self.random.uniform(16, 22) if long else self.random.uniform(0.3, 5)
        self.add(at_s, FREEZE, target)
        self.add(at_s + lasts_s, THAW, target)
        self.busy_until[target] = at_s + lasts_s

    def restart(self, at_s: float) -> None:
        free = self.free((*WORKERS, KAFKA, REDIS), at_s)
        if free:
            self.ends_and_starts(at_s, STOP, self.random.choice(free), self.random.uniform(0.2, 3))

    def join_or_leave(self, at_s: float) -> None:
        if not self.free((EXTRA_WORKER,), at_s):
            return
        verb = START if not self.extra_is_there else STOP
        self.add(at_s, verb, EXTRA_WORKER)
        self.extra_is_there = not self.extra_is_there
        self.busy_until[EXTRA_WORKER] = at_s + 6
