# SPDX-License-Identifier: Apache-2.0
"""The story that the demo tells: what people do with registry spaces, from the first one created to
the audit trail of all of it."""

import os
import uuid
from typing import Any, Optional

from by_hand import ByHand, may_pull
from stage import Stage, wait_until
from teller import Teller, check, column_of

WAIT_S = 20
GIB = 1024**3
CREATED = "Created registry space successfully"
BOUND = "Bound/Unbound workspace successfully"
DELETED = "Deleted registry space successfully"
# Binding makes a robot and sets its secret.
BIND_ONE = {"POST /robots": 1, "PATCH /robots/{robot_id}": 1}
# In which project that was; and what a command is answered by that finds nothing to do.
PLACE = {"GET /projects/{name_or_id}": 1}
LOOK = PLACE | {"GET /robots": 1}


def on(space: str, *words: str) -> str:
    return " ".join(["--registry alpha --space", space, *words])


class Story(Teller):
    """The chapters, in their order: run()."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.hand = ByHand(stage.sandbox)

    def run(self) -> None:
        self.create()
        self.repeat()
        self.bind()
        self.dialog()
        self.pull()
        self.publish()
        self.quota()
        self.digits()
        self.adopt()
        self.delete()
        self.refuse()
        self.overview()
        self.look_up()
        self.audit()

    def create(self) -> None:
        self.chapter("Spaces are created: private, public, with a quota")
        line = f"create-space {on('team-a', '--private')}"
        result = self.send(line, "space.created", calls={"POST /projects": 1})
        check(result["message"] == CREATED, "the toast's text")
        self.show_space("team-a", [])
        line = f"create-space {on('shared', '--public')}"
        self.send(line, "space.created", calls={"POST /projects": 1})
        self.show_space("shared", [])
        line = f"create-space {on('team-q', '--private --quota 10G')}"
        self.send(line, "space.created")
        self.show_quota("team-q", 10 * GIB)

    def repeat(self) -> None:
        self.chapter("A command that is sent again is done once, and answered the same")
        line = f"create-space {on('team-b', '--private')}"
        command_id = str(uuid.uuid4())
        first = self.send(line, "space.created", command_id=command_id)
        self.say("the same command again, with the same id:")
        again = self.send(line, "space.created", command_id=command_id, calls={})
        same = ("outcome", "code", "message", "changed", "space_state", "finished_at")
        check(all(first[name] == again[name] for name in same), "the same answer")
        check(first["source"] != again["source"], "an answer to the second record")
        self.say("the same name with a new id is another matter:")
        self.refused(line, "space.already_exists", "ADOPT")

    def bind(self) -> None:
        self.chapter("Two workspaces are bound in one command")
        self.show_column("team-a", [])
        line = f"bind-workspace {on('team-a', '--workspace ant --workspace bee')}"
        calls = {call: 2 * count for call, count in BIND_ONE.items()} | PLACE
        result = self.send(line, "workspace.bound", calls=calls)
        check(result["message"] == BOUND, "the toast's text")
        check([one["change"] for one in result["bindings"]] == ["BOUND", "BOUND"], "both are new")
        self.show_space("team-a", ["ant", "bee"])

    def dialog(self) -> None:
        self.chapter("The dialog's OK sends the whole list; only the difference reaches Harbor")
        words = "--workspace bee --workspace cat"
        line = f"set-workspace-bindings {on('team-a', words)}"
        # One of them stays, which is looked at.
        calls = BIND_ONE | {"DELETE /robots/{robot_id}": 1, "GET /robots": 1}
        calls["GET /projects/{name_or_id}"] = 2
        result = self.send(line, "workspace.bindings_set", calls=calls)
        changes = {one["workspace"]: one["change"] for one in result["bindings"]}
        self.proof("result", ", ".join(f"{name}: {what}" for name, what in changes.items()))
        check(result["message"] == BOUND, "the toast's text")
        self.show_space("team-a", ["bee", "cat"])
        self.say("OK once more, with nothing changed in the dialog:")
        again = self.send(line, "workspace.bindings_set", calls=LOOK)
        check(not again["changed"], "nothing is changed")

    def pull(self) -> None:
        self.chapter("Who is bound can pull as soon as the toast shows, and nobody else can")
        bind = f"bind-workspace {on('team-a', '--workspace ant')}"
        self.send(bind, "workspace.bound")
        ant = self.login_of("ant", "team-a")
        self.show_pull("team-a", "ant", ant, allowed=True)
        self.show_pull("team-a", "somebody without a login", None, allowed=False)
        self.send(f"bind-workspace {on('team-b', '--workspace dog')}", "workspace.bound")
        dog = self.login_of("dog", "team-b")
        self.show_pull("team-b", "dog", dog, allowed=True)
        self.show_pull("team-a", "dog", dog, allowed=False)
        self.send(f"unbind-workspace {on('team-a', '--workspace ant')}", "workspace.unbound")
        self.show_pull("team-a", "ant", ant, allowed=False)

    def publish(self) -> None:
        self.chapter("A space is made public and private again; its bindings stay")
        bee = self.login_of("bee", "team-a")
        update = {"PUT /projects/{name_or_id}": 1}
        self.send(f"update-space {on('team-a', '--public')}", "space.updated", calls=update)
        self.show_pull("team-a", "somebody without a login", None, allowed=True)
        self.show_space("team-a", ["bee", "cat"])
        self.say("a binding now is remembered, and the answer says that it changes nothing yet:")
        line = f"bind-workspace {on('team-a', '--workspace elk')}"
        result = self.send(line, "workspace.bound")
        check(result["details"]["effect"] == "none_while_public", "the hint")
        self.proof("result", f"effect: {result['details']['effect']}")
        self.send(f"update-space {on('team-a', '--private')}", "space.updated", calls=update)
        self.show_pull("team-a", "somebody without a login", None, allowed=False)
        self.show_pull("team-a", "bee", bee, allowed=True)
        self.show_pull("team-a", "elk", self.login_of("elk", "team-a"), allowed=True)
        self.show_space("team-a", ["bee", "cat", "elk"])

    def quota(self) -> None:
        self.chapter("A quota is changed, and lifted")
        self.send(f"update-space {on('team-q', '--quota 20G')}", "space.updated")
        self.show_quota("team-q", 20 * GIB)
        self.send(f"update-space {on('team-q', '--quota unlimited')}", "space.updated")
        self.show_quota("team-q", -1)

    def digits(self) -> None:
        self.chapter("A name of digits only lives the same life")
        # A trap: 123 must never be taken for the number of a project.
        self.send(f"create-space {on('123', '--public')}", "space.created")
        self.send(f"bind-workspace {on('123', '--workspace ant')}", "workspace.bound")
        self.send(f"update-space {on('123', '--private --quota 1G')}", "space.updated")
        self.show_space("123", ["ant"])
        self.show_quota("123", GIB)
        self.show_pull("123", "ant", self.login_of("ant", "123"), allowed=True)
        self.send(f"unbind-workspace {on('123', '--workspace ant')}", "workspace.unbound")
        self.show_space("123", [])
        self.send(f"delete-space {on('123')}", "space.deleted")
        self.show_space("123", None)

    def adopt(self) -> None:
        self.chapter("A project that somebody made by hand is adopted only when asked")
        project_id = self.hand.make_project("legacy")
        foreign = self.hand.make_robot("legacy", "nightly-build")
        self.say(f"somebody made project {project_id} legacy and the robot {foreign[0]} by hand")
        line = f"create-space {on('legacy', '--private')}"
        self.refused(line, "space.already_exists", "ADOPT")
        result = self.send(f"{line} --adopt", "space.adopted")
        named = result["details"]["foreign_robot"]
        check(foreign[0].endswith(f"+{named}"), f"the foreign robot is called {named}")
        self.proof("result", f"foreign robot {named}: left as it is")
        check(may_pull(self.stage.sandbox, "legacy", foreign), "its password still works")
        self.show_space("legacy", [])

    def delete(self) -> None:
        self.chapter("A space that is bound or holds images is not deleted by accident")
        line = f"delete-space {on('team-b')}"
        self.refused(line, "space.bound", "dog")
        self.show_space("team-b", ["dog"])
        self.send(f"unbind-workspace {on('team-b', '--workspace dog')}", "workspace.unbound")
        for repository in ("web", "db"):
            self.stage.sandbox.push("team-b", repository)
        self.say("somebody pushes two images:")
        result = self.refused(line, "space.not_empty", "2")
        self.proof("result", f"repositories: {result['details']['repositories']}")
        for repository in ("web", "db"):
            self.stage.sandbox.remove_repository("team-b", repository)
        self.say("and removes them again:")
        result = self.send(line, "space.deleted")
        check(result["message"] == DELETED, "the toast's text")
        self.show_space("team-b", None)
        self.say("deleting what is gone is a success that changes nothing:")
        again = self.send(line, "space.deleted")
        check(not again["changed"], "nothing is changed")
        self.proof("result", "changed: false")

    def refuse(self) -> None:
        self.chapter("What is wrong gets a clear answer, and nothing stops")
        self.refused(
            "delete-space --no-check --registry alpha --space library", "space.protected", "library"
        )
        create = "create-space --topic berth.commands.alpha --no-check"
        self.refused(f"{create} --registry gamma --space team-x", "registry.unknown", "gamma")
        self.refused(f"{create} {on('team-x', '--key alpha/other')}", "command.key_mismatch")
        self.refused(f"{create} {on('Team_A')}", "space.name_invalid")
        self.random_bytes()
        self.send(f"create-space {on('team-c', '--private')}", "space.created")

    def random_bytes(self) -> None:
        file = self.stage.folder / "random-bytes"
        file.write_bytes(os.urandom(64))
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

    def overview(self) -> None:
        self.chapter("The console's list of spaces, with its Workspace column")
        states = self.list_of_spaces()
        for key, state in sorted(states.items()):
            print(f"    {key:<16} {state['visibility'].lower():<8} {column_of(state)}")
        names = sorted(key.removeprefix("alpha/") for key in states)
        check(names == ["legacy", "shared", "team-a", "team-c", "team-q"], f"the list has {names}")
        check(names == self.stage.spaces_in_redis(), "Redis has the same spaces")
        for name in names:
            column = [binding["workspace"] for binding in states[f"alpha/{name}"]["bindings"]]
            check(column == self.stage.bound_in_harbor(name), f"Harbor has other robots in {name}")

    def look_up(self) -> None:
        self.chapter("The same list without Kafka: from Redis, for people and for programs")
        self.stage.sandbox.reset_counters()
        print(self.berth("bindings", "--registry", "alpha"), end="")
        listed = self.look("/v1/registries/alpha/spaces")
        states = self.list_of_spaces()
        check(listed == sorted(states), f"the lookup lists {listed}, the topic {sorted(states)}")
        self.say("\"choose image\": what the members of ant may pull from, public spaces besides:")
        chosen = self.look("/v1/workspaces/ant/spaces?public=true")
        expected = sorted(
            key
            for key, state in states.items()
            if state["visibility"] == "PUBLIC" or "ant" in column_of(state).split(", ")
        )
        check(chosen == expected, f"the lookup says {chosen}, not {expected}")
        self.show_calls({})

    def audit(self) -> None:
        self.chapter("The audit trail of all of it")
        records = [record["value"] for record in self.stage.tail("audit")]
        audited = {record["command_id"] for record in records}
        check(audited <= set(self.sent_ids), "records of commands that nobody sent")
        records.sort(key=lambda record: self.sent_ids.index(record["command_id"]))
        for record in records:
            before, after = describe(record["before"]), describe(record["after"])
            what = f"{record['actor']}  {record['action']:<22} {record['space']:<8}"
            print(f"    {what} {record['outcome']:<10} {before}  ->  {after}")
        done = [(record["action"], record["space"]) for record in records]
        for action, space in (
            ("Create-RegistrySpace", "team-a"),
            ("Bind-Workspace", "team-a"),
            ("Delete-RegistrySpace", "team-b"),
        ):
            check((action, space) in done, f"{action} of {space} isn't there")
        refused = [record for record in records if record["outcome"] == "REJECTED"]
        check(bool(refused), "refusals are audited too")


def describe(state: Optional[dict[str, Any]]) -> str:
    if state is None:
        return "-"
    workspaces = ", ".join(state["workspaces"]) or "no binding"
    quota = state["quota_bytes"]
    limit = f", {quota // GIB} GiB" if quota is not None and quota > 0 else ""
    return f"{state['visibility'].lower()}{limit} ({workspaces})"


__all__ = ["Story"]
