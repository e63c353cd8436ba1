# SPDX-License-Identifier: Apache-2.0
"""How long berthd takes to rebuild the data set in an empty Redis from berth.spaces, and how much
memory: 100,000 spaces with two bindings each, on a real broker. rebuild.py --build DIR [--spaces N]"""

import argparse
import re
import struct
import sys
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from service import exit_on_sigterm, wait_until  # noqa: E402
from stage import REGISTRY_UIDS, Stage, Worker  # noqa: E402

# Single-object encoding of schemas/SpaceState.avsc. Another schema would be skipped, which is checked.
FRAME = b"\xc3\x01" + struct.pack("<Q", 0xD4BDB2E75854A7EC)
BATCH = 100_000
TIMEOUT_S = 600


def avro_long(number: int) -> bytes:
    zigzag = (number << 1) ^ (number >> 63)
    out = bytearray()
    while zigzag > 0x7F:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)


def avro_text(text: str) -> bytes:
    return avro_long(len(text)) + text.encode()


def state(number: int, space: str) -> bytes:
    """One SpaceState, field by field as the schema has them."""
    some = avro_long(1)
    bindings = b"".join(
        avro_text(f"team-{workspace}") + avro_long(2 * number + 1) + some + avro_text("0badc0de")
        for workspace in (number % 100, 100 + number % 37)
    )
    return FRAME + b"".join(
        [
            avro_text("alpha") + avro_text(REGISTRY_UIDS["alpha"]) + avro_text(space),
            avro_long(number + 1),
            some + avro_long(number % 2),
            some + avro_long(-1),
            avro_long(2) + bindings + avro_long(0),
            some + avro_text(str(uuid.UUID(int=number))),
            some + avro_text(str(uuid.UUID(int=number))),
            avro_long(1_700_000_000_000 + number),
            avro_long(1_700_000_000_000_000 + number),
        ]
    )


def produce(stage: Stage, spaces: int) -> None:
    folder = stage.folder / "states"
    folder.mkdir()
    lines = []
    for number in range(spaces):
        space = f"space-{number:06}"
        file = folder / space
        file.write_bytes(state(number, space))
        lines.append(f"--raw {file} --key alpha/{space} --topic berth.spaces")
    for first in range(0, spaces, BATCH):
        batch = stage.folder / "batch"
        batch.write_text("\n".join(lines[first : first + BATCH]) + "\n")
        stage.berth("send", "--batch", str(batch), timeout_s=TIMEOUT_S)


def peak_kib(worker: Worker) -> int:
    text = Path(f"/proc/{worker.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1])


def rebuild(build: Path, spaces: int) -> tuple[int, int]:
    """Milliseconds of the rebuild, and the worker's peak memory in KiB after it."""
    with Stage(build) as stage:
        produce(stage, spaces)
        worker = Worker(stage, "worker-1")
        stage.workers.append(worker)
        worker.choose_ports()
        worker.launch()
        pattern = r"rebuild\.done states=(\d+) skipped=(\d+) .*ms=(\d+)"
        done = wait_until(
            "rebuild.done", lambda: re.search(pattern, worker.log.read_text()), TIMEOUT_S, 0.05
        )
        assert done is not None
        if (int(done[1]), int(done[2])) != (spaces, 0):
            raise SystemExit(f"not what was produced: {done[0]}")
        there = stage.redis.ask("SCARD", "berth:v1:registry:alpha") if spaces else 0
        if there != spaces:
            raise SystemExit(f"{there} spaces in Redis, not {spaces}")
        return int(done[3]), peak_kib(worker)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, required=True, help="build folder with bin/berthd")
    parser.add_argument("--spaces", type=int, default=100_000)
    arguments = parser.parse_args()
    exit_on_sigterm()
    _, idle_kib = rebuild(arguments.build, 0)
    took_ms, peak = rebuild(arguments.build, arguments.spaces)
    print(
        f"rebuild: {arguments.spaces} spaces with 2 bindings each in {took_ms / 1000:.1f} s; "
        f"berthd's peak memory {peak / 1024:.1f} MiB ({idle_kib / 1024:.1f} MiB without any)"
    )


if __name__ == "__main__":
    main()
