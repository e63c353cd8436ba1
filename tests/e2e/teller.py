# SPDX-License-Identifier: Apache-2.0
"""How the demo shows what it does: each command with its answer and milliseconds, what it cost at
Harbor, and the proof from the other side. What is shown is checked first."""

import json
import os
import sys
import time
import urllib.request
import uuid
from typing import Any, Optional

from by_hand import ByHand, Login, may_pull
from stage import Stage

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


class Teller:
    """Sends, asks and shows, on a stage that is up."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.sent_ids: list[str] = []
        self.answered_at = time.monotonic()
        self.chapters = 0

    # What is shown.

    def chapter(self, text: str) -> None:
        self.chapters += 1
        print(f"\n{BOLD}{self.chapters}. {text}{PLAIN}")

    def say(self, text: str) -> None:
        print(f"  {text}")

    def proof(self, where: str, text: str) -> None:
        print(f"      {DIM}{where:<8}{PLAIN} {text}")

    def send(
        self,
        line: str,
        code: str,
        outcome: str = "SUCCEEDED",
        command_id: Optional[str] = None,
        calls: Optional[dict[str, int]] = None,
    ) -> dict[str, Any]:
        """Sends one command and shows it, its result, which must carry this code, and what it cost
        at Harbor, which must be these calls if any are given."""
        command_id = command_id or str(uuid.uuid4())
        self.sent_ids.append(command_id)
        print(f"  $ berth send {line}")
        self.stage.sandbox.reset_counters()
        result = self.stage.send(*line.split(), "--actor", "ada", "--id", command_id)
        self.answered_at = time.monotonic()
        colour = GREEN if result["outcome"] == "SUCCEEDED" else RED
        print(
            f'    {colour}{result["outcome"]}{PLAIN} {result["code"]} '
            f'"{result["message"]}" {DIM}{result["elapsed_ms"]} ms{PLAIN}'
        )
        check(result["command_id"] == command_id, "the answer is to another command")
        check(result["outcome"] == outcome, f"{result['outcome']}, not {outcome}")
        check(result["code"] == code, f"{result['code']}, not {code}")
        self.show_calls(calls)
        return result

    def refused(self, line: str, code: str, *words: str) -> dict[str, Any]:
        """Sends one command that must be refused, with an answer that names these words."""
        result = self.send(line, code, outcome="REJECTED")
        for word in words:
            check(word in result["message"], f"the answer doesn't name {word}")
        check(not result["changed"], "a refusal changes nothing")
        return result

    def berth(self, *words: str) -> str:
        """Runs another command of berth and shows it; what it prints is the caller's to show."""
        print(f"  $ berth {' '.join(words)}")
        return self.stage.berth(*words).stdout

    def look(self, target: str) -> list[str]:
        """Asks berthd over HTTP and shows the spaces that it names."""
        url = f"http://127.0.0.1:{self.stage.workers[0].admin_port}{target}"
        print(f"  $ curl {url}")
        with urllib.request.urlopen(url, timeout=10) as reply:
            answer = json.load(reply)
        for space in answer["spaces"]:
            name = f"{space['registry']}/{space['space']}"
            print(f"    {name:<16} {space['visibility'].lower():<8} {space['workspace_column']}")
        check(answer["next"] is None, "all of it on one page")
        return [f"{space['registry']}/{space['space']}" for space in answer["spaces"]]

    # Proof from the other side.

    def show_calls(self, expected: Optional[dict[str, int]]) -> None:
        """What the last command cost at Harbor; called before we ask Harbor anything."""
        calls = self.stage.sandbox.calls()
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

    def show_quota(self, space: str, expected_bytes: int) -> None:
        project = self.stage.project(space)
        assert project is not None
        found = ByHand(self.stage.sandbox).quota_bytes(project["project_id"])
        check(found == expected_bytes, f"the quota is {found}, not {expected_bytes}")
        self.proof("Harbor", f"quota of {space}: {found} bytes")

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
        state = self.list_of_spaces().get(f"alpha/{space}")
        if workspaces is None:
            check(state is None, f"{space} is still in the console's list")
            self.proof("console", f"{space} has left the list (tombstone on berth.spaces)")
            return
        check(state is not None, f"{space} isn't in the console's list")
        column = column_of(state)
        check(column == (", ".join(workspaces) or "No binding"), f"the column says {column}")
        self.proof("console", f"{space} | Workspace: {column}")

    def list_of_spaces(self) -> dict[str, dict[str, Any]]:
        """As a console keeps it: the last record of each key; those without a value are gone."""
        states: dict[str, Any] = {}
        for record in self.stage.tail("spaces"):
            states[record["key"]] = record["value"]
        return {key: value for key, value in states.items() if value is not None}

    # Pulls.

    def login_of(self, workspace: str, space: str) -> Login:
        """What berth prints for whoever deploys: user and password of one workspace, one space."""
        words = ["pull-secret", "--workspace", workspace, "--space", space]
        line = self.berth(*words, "--output", "user-password").strip()
        named, user, password = line.split("\t")
        check(named == f"alpha/{space}", f"a credential for {named}")
        self.proof("secret", f"{user} (and its password)")
        return user, password

    def show_pull(self, space: str, who: str, login: Optional[Login], allowed: bool) -> None:
        """A pull: the registry's token service, then the manifest. It must end so."""
        found = may_pull(self.stage.sandbox, space, login)
        after_ms = round((time.monotonic() - self.answered_at) * 1000)
        check(found == allowed, f"a pull from {space} by {who} is allowed: {found}")
        verdict = f"{GREEN}may pull{PLAIN}" if found else f"{RED}may not pull{PLAIN}"
        when = f"{DIM}{after_ms} ms after the toast{PLAIN}"
        self.proof("pull", f"{who} {verdict} from {space} {when}")


def column_of(state: dict[str, Any]) -> str:
    """The text of the list's Workspace column."""
    return ", ".join(binding["workspace"] for binding in state["bindings"]) or "No binding"


__all__ = ["BOLD", "DIM", "PLAIN", "RED", "Mismatch", "Teller", "check", "column_of"]
