# SPDX-License-Identifier: Apache-2.0
"""The story that ./dev demo shows: every command really sent, every answer really received, and
each proved from the other side. What is shown is checked; a mismatch ends it with status 1."""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from service import ServiceError, exit_on_sigterm  # noqa: E402
from stage import EMBEDDED, REAL, Stage, Worker  # noqa: E402
from story import Story  # noqa: E402
from teller import BOLD, DIM, PLAIN, RED, Mismatch, check  # noqa: E402

KINDS = {REAL: "Apache Kafka", EMBEDDED: "an embedded Kafka (librdkafka's mock cluster)"}
# How long one sleep lasts while everything is kept running; a signal ends it early.
PAUSE_S = 3600


def play(build: Path, kafka: str, keep: bool) -> None:
    began = time.monotonic()
    print(f"starting {KINDS[kafka]}, redis-server and two Harbor stand-ins, all on 127.0.0.1")
    with Stage(build, kafka=kafka) as stage:
        try:
            worker = stage.add_worker()
            print(f"berthd is up and ready after {time.monotonic() - began:.1f} s")
            Story(stage).run()
            if not keep:
                check(worker.stop() == 0, "berthd ends in order")
        except (Mismatch, ServiceError):
            print(stage.logs(), file=sys.stderr)
            raise
        took_s = time.monotonic() - began
        print(f"\n{BOLD}done: all of it as it should be, in {took_s:.1f} s{PLAIN}", flush=True)
        if keep:
            keep_running(stage, worker)


def keep_running(stage: Stage, worker: Worker) -> None:
    """Says what is where and how to use it, then waits for Ctrl-C."""
    print(f"\n{BOLD}everything is kept running{PLAIN}")
    for what, where in addresses(stage, worker).items():
        print(f"  {what:<14} {where}")
    print(f"\n{BOLD}to try in another terminal{PLAIN}")
    for comment, command in commands(stage, worker):
        print(f"  {DIM}# {comment}{PLAIN}\n  {command}")
    print("\nCtrl-C ends everything and removes it.", flush=True)
    try:
        while True:
            time.sleep(PAUSE_S)
    except KeyboardInterrupt:
        print("\nending")


def addresses(stage: Stage, worker: Worker) -> dict[str, str]:
    sandbox = stage.sandbox
    places = {
        "Kafka": stage.kafka_address,
        "Redis": stage.redis.address,
        "berthd": f"http://127.0.0.1:{worker.admin_port}",
    }
    places |= {f"Harbor {name}": sandbox.url(name) for name in sandbox.ports}
    return places | {
        "Harbor's login": f"{sandbox.user}, password {sandbox.password}",
        "faults": f"{sandbox.admin_url}/registries/alpha/faults",
        "configuration": str(stage.client_configuration),
        "berthd's log": str(worker.log),
    }


def commands(stage: Stage, worker: Worker) -> list[tuple[str, str]]:
    """Ready to be copied, each with what it does."""
    berth = f"{stage.program('berth')} -c {stage.client_configuration}"
    return [
        (
            "create a space and wait for the answer",
            f"{berth} send create-space --registry alpha --space mine --private --wait",
        ),
        (
            "the list of spaces with their workspaces",
            f"{berth} bindings --registry alpha",
        ),
        ("what workspace bee pulls with", f"{berth} pull-secret --workspace bee"),
        (
            "the same for programs, and what a workspace may pull from",
            f"curl -s 'http://127.0.0.1:{worker.admin_port}/v1/workspaces/bee/spaces?public=true'",
        ),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="shows berth at work")
    parser.add_argument("--build", type=Path, required=True, help="build folder with bin/berthd")
    parser.add_argument("--kafka", action="store_true", help="on Apache Kafka, not an embedded one")
    parser.add_argument("--keep", action="store_true", help="leave everything running, for trying")
    arguments = parser.parse_args()
    exit_on_sigterm()
    try:
        play(arguments.build, REAL if arguments.kafka else EMBEDDED, arguments.keep)
    except Mismatch as mismatch:
        print(f"{RED}not as it should be: {mismatch}{PLAIN}", file=sys.stderr)
        return 1
    except ServiceError as error:
        print(f"{RED}{error}{PLAIN}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
