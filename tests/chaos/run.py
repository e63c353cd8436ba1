#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""./dev chaos: three workers on a real Kafka, a real Redis and the Harbor stand-in. All are killed,
frozen and started again (the stand-in is only disturbed) while producers send; then everything is
looked at. Debian's own Python runs this: it needs python3-confluent-kafka and python3-avro.

    run.py --build DIR [--kills N] [--minutes N] [--seed N] [--stalls N] [--rate N]

Exit status: 0 all is as it must be, 1 a rule is broken or it came to no end.
"""

import argparse
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any, Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from checks import Breach, Evidence, check  # noqa: E402
from collect import collect, look_at_foreign, make_by_hand  # noqa: E402
from faults import LATENCY_MS, Crew, KeptRedis, carry_out  # noqa: E402
from plan import EXTRA_WORKER, KILL, WORKERS, Plan, Planner  # noqa: E402
from service import ServiceError, exit_on_sigterm  # noqa: E402
from stage import Stage  # noqa: E402
from stalls import measure_stalls  # noqa: E402
from traffic import Traffic  # noqa: E402
from wire import committed_offsets  # noqa: E402

PARTITIONS = 6
# With so long without any answer while nothing is wrong any more, it won't come.
SILENCE_S = 120
SHOWN_BREACHES = 20


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description="Breaks everything but the promise.")
    parser.add_argument("--build", type=Path, required=True, help="build folder with bin/berthd")
    parser.add_argument("--kills", type=int, default=0, help="how many (default 40)")
    parser.add_argument("--minutes", type=float, default=0, help="how long (default: as it comes)")
    parser.add_argument("--seed", type=int, default=0, help="of plan and commands (default: new)")
    parser.add_argument("--rate", type=float, default=25, help="commands a second (default 25)")
    parser.add_argument(
        "--stalls", type=int, default=3, metavar="N",
        help="kills of workers alone, to measure stalls, each way of membership (default 3)",
    )  # fmt: skip
    arguments = parser.parse_args()
    if min(arguments.kills, arguments.minutes, arguments.seed, arguments.stalls) < 0:
        parser.error("no number may be below 0")
    if arguments.rate <= 0:
        parser.error("--rate must be above 0")
    arguments.seed = arguments.seed or random.randrange(1, 1 << 31)
    if arguments.kills == 0:
        arguments.kills = round(arguments.minutes * 24) or 40
    return arguments


class Run:
    """One run on one stage."""

    def __init__(self, arguments: argparse.Namespace, stage: Stage) -> None:
        self.arguments = arguments
        self.stage = stage
        self.crew = Crew(stage)
        planner = Planner(arguments.seed, arguments.kills, arguments.minutes * 60)
        self.plan: Plan = planner.plan()
        self.traffic: Optional[Traffic] = None
        self.evidence = Evidence()
        self.breaches: list[Breach] = []
        self.began_s = time.monotonic()

    def run(self) -> None:
        stage = self.stage
        make_by_hand(stage)
        foreign = look_at_foreign(stage)
        for registry in stage.sandbox.registries:
            stage.sandbox.faults(registry, latency_ms=LATENCY_MS)
        for number, name in enumerate(WORKERS):
            self.crew.hire(name, static=number < 2)
        self.crew.hire(EXTRA_WORKER, static=False)
        self.crew.start_all()
        self.traffic = Traffic(stage.kafka.address, self.arguments.seed, self.arguments.rate)
        self.traffic.start()
        try:
            carry_out(self.plan, self.crew, self.tell)
            self.crew.calm_down()
            self.traffic.pause()
            self.settle()
        finally:
            self.traffic.stop()
            self.note_crashes()
        self.evidence = collect(stage, self.traffic, foreign)
        self.breaches += check(self.evidence)
        self.breaches += [Breach("traffic", text) for text in self.traffic.failures]

    def note_crashes(self) -> None:
        self.breaches += [Breach("crash", line) for line in self.crew.alarms()]
        self.breaches += [
            Breach("crash", f"{one.who} ended by itself with status {one.status}: {one.last_line}")
            for one in self.crew.ended
            if not one.explained
        ]

    def tell(self, _seconds: float) -> None:
        assert self.traffic is not None
        done = self.crew.done
        down = self.crew.down()
        say(
            f"{time.monotonic() - self.began_s:4.0f} s: kills {done[KILL]} of "
            f"{self.arguments.kills}; sent {self.traffic.sent}, answered "
            f"{len(self.traffic.seen)}" + (f"; down: {', '.join(down)}" if down else "")
        )

    def settle(self) -> None:
        """Waits until everything that was sent is answered."""
        traffic = self.traffic
        assert traffic is not None
        last_s, answered = time.monotonic(), 0
        told_s = 0.0
        while traffic.unanswered > 0 or not everything_is_committed(self.stage):
            now_s = time.monotonic()
            if len(traffic.seen) > answered:
                last_s, answered = now_s, len(traffic.seen)
            if now_s - last_s > SILENCE_S:
                self.breaches.append(
                    Breach("stuck", f"{traffic.unanswered} unanswered, silence for {SILENCE_S} s")
                )
                return
            if now_s - told_s > 5:
                told_s = now_s
                self.tell(now_s)
            self.crew.look_after()
            time.sleep(0.5)
        # What is told to Redis after the last commit.
        time.sleep(2)


def everything_is_committed(stage: Stage) -> bool:
    topics = [f"berth.commands.{registry}" for registry in stage.sandbox.registries]
    return all(
        committed == end or end == 0
        for topic in topics
        for committed, end in committed_offsets(stage.kafka.address, "berth", topic).values()
    )


def say(text: str) -> None:
    print(text, flush=True)


def summary(run: Run, stalls: dict[str, list[float]]) -> None:
    evidence, done, traffic = run.evidence, run.crew.done, run.traffic
    assert traffic is not None
    ids = {one.command_id for one in evidence.records.values() if one is not None}
    count = Counter(breach.rule for breach in run.breaches)
    killed = Counter(who for _at_s, who in run.crew.kills)
    killed_text = ", ".join(f"{name} {number}" for name, number in sorted(killed.items()))
    during = max(
        (traffic.stall_after(at_s) for at_s, who in run.crew.kills if who.startswith("worker")),
        default=0,
    )
    say(f"\nseed {run.arguments.seed}; {machine()}")
    say(f"  kills               {done['kill']} ({killed_text})")
    say(f"  freezes             {done['freeze'] + done['hold']}")
    say(f"  orderly stops       {done['stop']}; starts {done['start']}")
    say(f"  faults of Harbor    {done['faults']}")
    fenced = sum(one.explained for one in run.crew.ended)
    say(f"  fenced by Kafka     {fenced}")
    say(f"  commands            {len(ids)}")
    say(f"  records             {len(evidence.records)}")
    say(f"  answered            {len(evidence.results)}")
    say(f"  writes in Harbor    {sum(len(one) for one in evidence.writes.values())}")
    for name in ("lost", "doubled", "differing"):
        say(f"  {name:<20}{count.pop(name, 0)}")
    say(f"  other breaches      {sum(count.values())}")
    say(f"  longest stall after a worker's kill, with all other trouble: {during:.1f} s")
    for name, values in stalls.items():
        if values:
            say(
                f"  stall after a worker's kill alone, {name}: longest {max(values):.1f} s of "
                f"{len(values)} ({', '.join(f'{value:.1f}' for value in values)})"
            )


def machine() -> str:
    found = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    gib = int(found.group(1)) / 1024 / 1024 if found else 0
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    return f"{when}; {os.cpu_count()} cores, {gib:.0f} GiB; load average {load}"


def keep(run: Run) -> Path:
    """Everything that explains a breach, in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="berth-chaos-"))
    for log in run.stage.folder.glob("*/*.log"):
        shutil.copy(log, folder / log.name)
    (folder / "plan.json").write_text(text_of([asdict(event) for event in run.plan.events]))
    (folder / "kills.json").write_text(text_of(run.crew.kills))
    for name in ("results", "audit", "spaces", "dlq", "writes"):
        (folder / f"{name}.json").write_text(text_of(getattr(run.evidence, name)))
    records = [[*source, str(one)] for source, one in run.evidence.records.items()]
    (folder / "records.json").write_text(text_of(records))
    (folder / "breaches.txt").write_text("".join(f"{one}\n" for one in run.breaches))
    return folder


def text_of(value: Any) -> str:
    return json.dumps(value, indent=1)


def main() -> int:
    arguments = parse_arguments()
    exit_on_sigterm()
    stage = Stage(arguments.build, PARTITIONS)
    stage.redis = KeptRedis(stage.folder / "redis")
    say(f"chaos: seed {arguments.seed}, {arguments.kills} kills")
    with stage:
        run = Run(arguments, stage)
        try:
            run.run()
        except (ServiceError, AssertionError, OSError) as error:
            run.breaches.append(Breach("end", f"{type(error).__name__}: {error}"))
        folder = keep(run) if run.breaches else None
    stalls = {}
    if arguments.stalls > 0 and not run.breaches:
        stalls = measure_stalls(arguments.build, arguments.stalls, arguments.seed)
    summary(run, stalls)
    if not run.breaches:
        say("all as it must be")
        return 0
    say(f"\n{len(run.breaches)} breaches; logs and evidence are in {folder}")
    for breach in run.breaches[:SHOWN_BREACHES]:
        say(f"  {breach}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
