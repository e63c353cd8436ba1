# SPDX-License-Identifier: Apache-2.0
"""The story that ./dev demo shows: every command really sent, every answer really received, and
each proved from the other side. What is shown is checked; a mismatch ends it with status 1."""

import argparse
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Any, Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from service import ServiceError, exit_on_sigterm  # noqa: E402
from stage import Stage, wait_until  # noqa: E402

WAIT_S = 20
BOLD, DIM, GREEN, RED, PLAIN = (
    ("\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m")
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ
    else ("", "", "", "", "")
)


class Mismatch(Exception):
    """What came back isn't what the story says."""


def check(true: bool, text: str) -> None:
    if not true:
        raise Mismatch(text)


class Story:
    """The steps of the demo, on a stage that is up."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.sent_ids: list[str] = []

    # What is shown.

    def chapter(self, text: str) -> None:
        print(f"\n{BOLD}{text}{PLAIN}")

    def proof(self, where: str, text: str) -> None:
        print(f"      {DIM}{where:<8}{PLAIN} {text}")

    def send(
        self, line: str, code: str, command_id: Optional[str] = None, outcome: str = "SUCCEEDED"
    ) -> dict[str, Any]:
        """Sends one command and shows it with its result, which must carry this code."""
        command_id = command_id or str(uuid.uuid4())
        self.sent_ids.append(command_id)
        print(f"  $ berth send {line}")
        self.stage.sandbox.reset_counters()
        result = self.stage.send(*line.split(), "--actor", "ada", "--id", command_id)
        colour = GREEN if result["outcome"] == "SUCCEEDED" else RED
        print(
            f'    {colour}{result["outcome"]}{PLAIN} {result["code"]} '
            f'"{result["message"]}" {DIM}{result["elapsed_ms"]} ms{PLAIN}'
        )
        check(result["command_id"] == command_id, "the answer is to another command")
        check(result["outcome"] == outcome, f"{result['outcome']}, not {outcome}")
        check(result["code"] == code, f"{result['code']}, not {code}")
        return result

    # Proof from the other side.

    def show_harbor_calls(self, expected: Optional[dict[str, int]] = None) -> None:
        """What the last command cost at Harbor; called before we ask Harbor anything."""
        calls = {call: count for call, count in self.stage.sandbox.counters().items() if count}
        text = ", ".join(f"{call} x{count}" for call, count in sorted(calls.items())) or "none"
        self.proof("calls", text)
        if expected is not None:
            check(calls == expected, f"Harbor calls {calls}, not {expected}")

    def show_space(self, space: str, workspaces: Optional[list[str]]) -> None:
        """Harbor, Redis and the topic of spaces must all say the same; None: it doesn't exist."""
        bound = self.stage.bound_in_harbor(space)
        check(bound == workspaces, f"Harbor says {bound}, not {workspaces}")
        if workspaces is None:
            self.proof("Harbor", f"{space} does not exist")
        else:
            project = self.stage.project(space)
            assert project is not None
            public = project["metadata"]["public"] == "true"
            seen = "public" if public else "private"
            self.proof("Harbor", f"project {project['project_id']} {space}, {seen}, robots {bound}")
        self.show_redis(space, workspaces)
        self.show_column(space, workspaces)

    def show_redis(self, space: str, workspaces: Optional[list[str]]) -> None:
        there = space in self.stage.spaces_in_redis()
        check(there == (workspaces is not None), f"Redis: {space} is there: {there}")
        keys = self.stage.redis.ask("KEYS", "berth:v1:workspace:*")
        names = sorted(key.removeprefix("berth:v1:workspace:") for key in keys)
        bound = [name for name in names if f"alpha/{space}" in self.stage.spaces_of_workspace(name)]
        check(bound == (workspaces or []), f"Redis says {bound}, not {workspaces}")
        self.proof("Redis", f"{space} is {'known' if there else 'gone'}, bound to {bound}")

    def show_column(self, space: str, workspaces: Optional[list[str]]) -> None:
        """The console's Workspace column, from the compacted topic of spaces."""
        key = f"alpha/{space}"
        states = [record["value"] for record in self.stage.tail("spaces") if record["key"] == key]
        check(bool(states), f"nothing about {key} on berth.spaces")
        state = states[-1]
        if workspaces is None:
            check(state is None, "the last record isn't a tombstone")
            self.proof("console", f"{space} has left the list (tombstone on berth.spaces)")
            return
        check(state is not None, "the last record is a tombstone")
        column = [binding["workspace"] for binding in state["bindings"]]
        check(column == workspaces, f"the column says {column}, not {workspaces}")
        self.proof("console", f"{space} | Workspace: {', '.join(column) or 'No binding'}")

    # The story.

    def create(self) -> None:
        self.chapter("1. A space is created, and created only once")
        command_id = str(uuid.uuid4())
        line = "create-space --registry alpha --space team-a --private"
        first = self.send(line, "space.created", command_id)
        check(first["message"] == "Created registry space successfully", "the toast's text")
        self.show_harbor_calls({"POST /projects": 1})
        self.show_space("team-a", [])

        print("  the same command again, with the same id:")
        again = self.send(line, "space.created", command_id)
        self.show_harbor_calls({})
        same = ("outcome", "code", "message", "changed", "space_state", "finished_at")
        check(all(first[name] == again[name] for name in same), "the same answer")
        check(first["source"] != again["source"], "an answer to the second record")

        print("  the same name with a new id:")
        refused = self.send(line, "space.already_exists", outcome="REJECTED")
        check("--adopt" in refused["message"] or "ADOPT" in refused["message"], "names the remedy")
        self.show_harbor_calls()

    def bind(self) -> None:
        self.chapter("2. Two workspaces are bound in one command")
        self.show_column("team-a", [])
        line = "bind-workspace --registry alpha --space team-a --workspace ant --workspace bee"
        result = self.send(line, "workspace.bound")
        check(result["message"] == "Bound/Unbound workspace successfully", "the toast's text")
        check([one["change"] for one in result["bindings"]] == ["BOUND", "BOUND"], "both are new")
        self.show_harbor_calls({"POST /robots": 2, "PATCH /robots/{robot_id}": 2})
        self.show_space("team-a", ["ant", "bee"])

    def delete(self) -> None:
        self.chapter("3. A space that is bound is not deleted by accident")
        unbind = "unbind-workspace --registry alpha --space team-a --workspace"
        delete = "delete-space --registry alpha --space team-a"
        self.send(f"{unbind} ant", "workspace.unbound")
        self.show_space("team-a", ["bee"])
        refused = self.send(delete, "space.bound", outcome="REJECTED")
        check("bee" in refused["message"], "names the workspace")
        self.show_space("team-a", ["bee"])
        self.send(f"{unbind} bee", "workspace.unbound")
        self.show_space("team-a", [])
        result = self.send(delete, "space.deleted")
        check(result["message"] == "Deleted registry space successfully", "the toast's text")
        self.show_space("team-a", None)

    def numeric_name(self) -> None:
        self.chapter("4. A name of digits only lives the same life")
        self.send("create-space --registry alpha --space 123 --public", "space.created")
        self.send("bind-workspace --registry alpha --space 123 --workspace ant", "workspace.bound")
        self.show_space("123", ["ant"])
        self.send("unbind-workspace --registry alpha --space 123 --workspace ant", "workspace.unbound")
        self.send("delete-space --registry alpha --space 123", "space.deleted")
        self.show_space("123", None)

    def bad_input(self) -> None:
        self.chapter("5. What is wrong gets a clear answer, and nothing stops")
        topic = "--topic berth.commands.alpha --no-check"
        create = f"create-space {topic} --registry"
        self.send(f"{create} alpha --space Team_A", "space.name_invalid", outcome="REJECTED")
        self.send(f"{create} gamma --space team-b", "registry.unknown", outcome="REJECTED")
        wrong_key = f"{create} alpha --space team-b --key alpha/other"
        self.send(wrong_key, "command.key_mismatch", outcome="REJECTED")
        self.random_bytes()
        self.send("create-space --registry alpha --space team-b --private", "space.created")
        self.send("delete-space --registry alpha --space team-b", "space.deleted")

    def random_bytes(self) -> None:
        file = self.stage.folder / "random-bytes"
        noise = os.urandom(64)
        file.write_bytes(noise)
        line = "--raw random-bytes --topic berth.commands.alpha --key alpha/noise"
        print(f"  $ berth send {line}")
        before = len(self.stage.tail("dlq"))
        self.stage.berth("send", *line.replace("random-bytes", str(file)).split())
        wait_until("a dead letter", lambda: len(self.stage.tail("dlq")) > before, WAIT_S)
        letter = self.stage.tail("dlq")[-1]
        for name, value in sorted(letter["headers"].items()):
            if name.startswith("berth-dlq-"):
                self.proof("dead", f"{name}: {value}")
        check(letter["key"] == "alpha/noise", "the dead letter keeps the key")
        self.proof("dead", "letter on berth.dlq, the original bytes inside")

    def audit(self) -> None:
        self.chapter("6. The audit trail of all of it")
        records = [record["value"] for record in self.stage.tail("audit")]
        for record in records:
            before, after = describe(record["before"]), describe(record["after"])
            what = f"{record['actor']}  {record['action']:<22} {record['space']:<8}"
            print(f"    {what} {record['outcome']:<10} {before}  ->  {after}")
        audited = {record["command_id"] for record in records}
        check(audited <= set(self.sent_ids), "records of commands that nobody sent")
        done = [(record["action"], record["space"]) for record in records]
        for action in ("Create-RegistrySpace", "Bind-Workspace", "Delete-RegistrySpace"):
            check((action, "team-a") in done, f"{action} of team-a isn't there")
        refused = [record for record in records if record["outcome"] == "REJECTED"]
        check(bool(refused), "refusals are audited too")

    def run(self) -> None:
        self.create()
        self.bind()
        self.delete()
        self.numeric_name()
        self.bad_input()
        self.audit()


def describe(state: Optional[dict[str, Any]]) -> str:
    if state is None:
        return "-"
    workspaces = ", ".join(state["workspaces"]) or "no binding"
    return f"{state['visibility'].lower()} ({workspaces})"


def play(build: Path) -> None:
    began = time.monotonic()
    print("starting Apache Kafka, redis-server and two Harbor stand-ins, all on 127.0.0.1")
    with Stage(build) as stage:
        try:
            worker = stage.add_worker()
            print(f"berthd is up and ready after {time.monotonic() - began:.1f} s")
            Story(stage).run()
            check(worker.stop() == 0, "berthd ends in order")
        except (Mismatch, ServiceError):
            print(stage.logs(), file=sys.stderr)
            raise
    print(f"\n{BOLD}done: all of it as it should be, in {time.monotonic() - began:.1f} s{PLAIN}")


def main() -> int:
    parser = argparse.ArgumentParser(description="shows berth at work")
    parser.add_argument("--build", type=Path, required=True, help="build folder with bin/berthd")
    arguments = parser.parse_args()
    exit_on_sigterm()
    try:
        play(arguments.build)
    except Mismatch as mismatch:
        print(f"{RED}not as it should be: {mismatch}{PLAIN}", file=sys.stderr)
        return 1
    except ServiceError as error:
        print(f"{RED}{error}{PLAIN}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
