# SPDX-License-Identifier: Apache-2.0
"""What users of registry spaces expect, case by case: docs/edge-cases.md has the table. All on one
stage, each with spaces of its own."""

import time
import uuid
from typing import Any, ClassVar, Optional

from by_hand import ByHand, Login, actions_of, may_pull
from run import run_tests
from service import free_port
from stage import USAGE, Stage, Worker, wait_until
from workload import StageCase

WAIT_S = 30
WORKSPACES_MAX = 1000
# So few that whatever burns attempts is given up while a test looks on.
ATTEMPTS = 3
BIND_ONE = {"POST /robots": 1, "PATCH /robots/{robot_id}": 1}
# In which project that was; and what a command is answered by that finds nothing to do.
PLACE = {"GET /projects/{name_or_id}": 1}
LOOK = PLACE | {"GET /robots": 1}


class Spaces(StageCase):
    hand: ClassVar[ByHand]

    @classmethod
    def setUpClass(cls) -> None:
        cls.stage = cls.enterClassContext(Stage(cls.build))
        worker = Worker(cls.stage, "worker-1")
        cls.stage.workers.append(worker)
        worker.choose_ports()
        text = worker.configuration.read_text()
        few = f"[berth]\nretry_attempts = {ATTEMPTS}\n"
        worker.configuration.write_text(text.replace("[berth]\n", few, 1))
        worker.launch()
        worker.wait_ready()
        cls.hand = ByHand(cls.stage.sandbox)

    def setUp(self) -> None:
        self.addCleanup(self.show_logs_of_failure)

    # What users do.

    def send(self, command: str, space: str, *options: str, registry: str = "alpha") -> Any:
        """Sends one command and returns its answer; Harbor's calls are counted from here."""
        self.stage.sandbox.reset_counters(registry)
        return self.stage.send(command, "--registry", registry, "--space", space, *options)

    def do(self, command: str, space: str, *options: str, registry: str = "alpha") -> Any:
        result = self.send(command, space, *options, registry=registry)
        self.assertEqual(result["outcome"], "SUCCEEDED", result)
        return result

    def refuse(self, code: str, command: str, space: str, *options: str) -> Any:
        result = self.send(command, space, *options)
        self.assertEqual((result["outcome"], result["code"]), ("REJECTED", code), result)
        self.assertFalse(result["changed"])
        return result

    def bind(self, space: str, *workspaces: str) -> Any:
        return self.do("bind-workspace", space, *options_of(workspaces))

    def unbind(self, space: str, *workspaces: str) -> Any:
        return self.do("unbind-workspace", space, *options_of(workspaces))

    def login_of(self, workspace: str, space: str, registry: str = "alpha") -> Login:
        words = ("--registry", registry, "--space", space, "--output", "user-password")
        said = self.stage.berth("pull-secret", "--workspace", workspace, *words).stdout
        _, user, password = said.strip().split("\t")
        return user, password

    # What they see.

    def assert_pulls(self, space: str, login: Optional[Login], registry: str = "alpha") -> None:
        self.assertTrue(may_pull(self.stage.sandbox, space, login, registry), (space, login))

    def assert_pulls_not(self, space: str, login: Optional[Login], registry: str = "alpha") -> None:
        self.assertFalse(may_pull(self.stage.sandbox, space, login, registry), (space, login))

    def assert_bound(self, space: str, *workspaces: str, registry: str = "alpha") -> None:
        """Harbor, Redis and the console's column say the same."""
        self.assertEqual(self.stage.bound_in_harbor(space, registry), sorted(workspaces))
        for workspace in workspaces:
            self.assertIn(f"{registry}/{space}", self.stage.spaces_of_workspace(workspace))
        state = self.state_of(f"{registry}/{space}")
        column = [binding["workspace"] for binding in state["bindings"]]
        self.assertEqual(column, sorted(workspaces))

    def assert_not_in(self, space: str, *workspaces: str) -> None:
        """A workspace's spaces, as lookups read them, don't have this one."""
        for workspace in workspaces:
            self.assertNotIn(f"alpha/{space}", self.stage.spaces_of_workspace(workspace))

    def state_of(self, key: str) -> Any:
        """The last record of berth.spaces; None after a tombstone."""
        states = [record["value"] for record in self.stage.tail("spaces") if record["key"] == key]
        self.assertNotEqual(states, [], f"nothing about {key} on berth.spaces")
        return states[-1]

    def calls(self, registry: str = "alpha") -> dict[str, int]:
        found = self.stage.sandbox.counters(registry)
        return {call: count for call, count in found.items() if count}

    def assert_gone(self, space: str) -> None:
        self.assertIsNone(self.stage.project(space))
        self.assertNotIn(space, self.stage.spaces_in_redis())
        self.assertIsNone(self.state_of(f"alpha/{space}"))

    # Creating.

    def test_a_create_that_is_delivered_again_gets_the_same_answer(self) -> None:
        command_id = str(uuid.uuid4())
        first = self.do("create-space", "again", "--private", "--id", command_id)
        second = self.do("create-space", "again", "--private", "--id", command_id)
        self.assertEqual(self.calls(), {}, "Harbor isn't asked")
        self.assertNotEqual(first["source"], second["source"])
        for name in ("code", "message", "changed", "space_state", "finished_at"):
            self.assertEqual(first[name], second[name], name)

    def test_a_space_that_somebody_else_made_is_never_taken_over_in_silence(self) -> None:
        # A 409 taken for a success gave one tenant's robot another tenant's project elsewhere.
        project_id = self.hand.make_project("theirs")
        result = self.refuse("space.already_exists", "create-space", "theirs", "--private")
        self.assertIn("ADOPT", result["message"])
        self.assertNotIn("theirs", self.stage.spaces_in_redis())
        self.assertEqual(self.stage.robots(project_id), [])

    def test_an_adopted_space_keeps_what_was_there_and_names_foreign_robots(self) -> None:
        self.hand.make_project("found", public=True)
        foreign = self.hand.make_robot("found", "nightly")
        result = self.do("create-space", "found", "--adopt")
        self.assertEqual(result["code"], "space.adopted")
        self.assertEqual(result["details"]["foreign_robot"], "nightly")
        self.assertEqual(self.stage.project("found")["metadata"]["public"], "true")
        self.do("update-space", "found", "--private")
        self.assert_pulls("found", foreign)
        self.assert_bound("found")

    def test_a_name_of_digits_works_for_the_whole_life(self) -> None:
        self.do("create-space", "20240", "--private", "--quota", "1G")
        self.bind("20240", "ant")
        self.assert_bound("20240", "ant")
        self.assert_pulls("20240", self.login_of("ant", "20240"))
        self.do("update-space", "20240", "--public", "--quota", "2G")
        self.assert_pulls("20240", None)
        self.refuse("space.bound", "delete-space", "20240")
        self.unbind("20240", "ant")
        self.do("delete-space", "20240")
        self.assert_gone("20240")

    def test_a_name_of_digits_is_never_taken_for_the_number_of_a_project(self) -> None:
        # The name is the number of another project. berth has never seen it, so it asks by name.
        self.do("create-space", "numbered", "--private")
        number = str(self.stage.project("numbered")["project_id"])
        self.hand.make_project(number)
        self.bind(number, "ant")
        self.assert_bound(number, "ant")
        self.assert_bound("numbered")
        self.assert_pulls(number, self.login_of("ant", number))
        self.unbind(number, "ant")
        self.do("delete-space", number)
        self.assert_gone(number)
        # Gone as well by name, which is still a number.
        self.assertFalse(self.do("delete-space", number)["changed"])
        self.assert_bound("numbered")

    def test_the_same_name_in_two_registries_is_two_spaces(self) -> None:
        for registry in ("alpha", "beta"):
            self.do("create-space", "twin", "--private", registry=registry)
        self.bind("twin", "ant")
        self.assert_bound("twin", "ant")
        self.assert_bound("twin", registry="beta")
        ant = self.login_of("ant", "twin")
        self.assert_pulls("twin", ant)
        self.assert_pulls_not("twin", ant, registry="beta")
        self.do("delete-space", "twin", registry="beta")
        self.assert_bound("twin", "ant")

    # Binding.

    def test_who_is_bound_to_a_private_space_pulls_and_nobody_else_does(self) -> None:
        self.do("create-space", "private", "--private")
        self.do("create-space", "other", "--private")
        self.bind("private", "ant")
        self.bind("other", "bee")
        ant = self.login_of("ant", "private")
        self.assert_pulls("private", ant)
        self.assert_pulls_not("private", None)
        self.assert_pulls_not("private", self.login_of("bee", "other"))
        self.assert_pulls_not("other", ant)

    def test_a_bound_workspace_never_pushes(self) -> None:
        self.do("create-space", "pull-only", "--private")
        self.bind("pull-only", "ant")
        login = self.login_of("ant", "pull-only")
        self.assertEqual(actions_of(self.stage.sandbox, "pull-only", login), ["pull"])

    def test_a_binding_of_a_public_space_is_remembered_until_it_is_private(self) -> None:
        self.do("create-space", "open", "--public")
        result = self.bind("open", "ant")
        self.assertEqual(result["details"]["effect"], "none_while_public")
        self.assert_bound("open", "ant")
        self.do("update-space", "open", "--private")
        self.assert_pulls_not("open", None)
        self.assert_pulls("open", self.login_of("ant", "open"))

    def test_binding_twice_and_unbinding_what_is_not_bound_succeed_without_change(self) -> None:
        self.do("create-space", "twice", "--private")
        self.assertTrue(self.bind("twice", "ant")["changed"])
        again = self.bind("twice", "ant")
        self.assertFalse(again["changed"])
        self.assertEqual([one["change"] for one in again["bindings"]], ["UNCHANGED"])
        self.assertEqual(self.calls(), LOOK | {"PATCH /robots/{robot_id}": 1}, "seen, not remembered")
        never = self.unbind("twice", "bee")
        self.assertFalse(never["changed"])
        self.assertEqual([one["change"] for one in never["bindings"]], ["UNCHANGED"])
        self.assertEqual(self.calls(), LOOK)
        self.assert_bound("twice", "ant")

    def test_only_the_difference_of_a_whole_list_reaches_harbor(self) -> None:
        self.do("create-space", "dialog", "--private")
        self.bind("dialog", "ant", "bee")
        self.do("set-workspace-bindings", "dialog", *options_of(("bee", "cat")))
        expected = BIND_ONE | LOOK | {"DELETE /robots/{robot_id}": 1}
        self.assertEqual(self.calls(), expected | {"GET /projects/{name_or_id}": 2})
        self.assert_bound("dialog", "bee", "cat")
        self.assert_not_in("dialog", "ant")

    def test_after_the_last_unbind_the_space_stays_and_nobody_can_pull(self) -> None:
        self.do("create-space", "lonely", "--private")
        self.bind("lonely", "ant")
        ant = self.login_of("ant", "lonely")
        self.unbind("lonely", "ant")
        self.assert_bound("lonely")
        self.assert_not_in("lonely", "ant")
        self.assertIn("lonely", self.stage.spaces_in_redis())
        self.assert_pulls_not("lonely", ant)
        self.bind("lonely", "ant")
        self.assert_pulls_not("lonely", ant)
        self.assert_pulls("lonely", self.login_of("ant", "lonely"))

    # Public and private.

    def test_making_a_space_public_lets_everybody_pull_and_keeps_its_bindings(self) -> None:
        self.do("create-space", "published", "--private")
        self.bind("published", "ant")
        self.assert_pulls_not("published", None)
        self.do("update-space", "published", "--public")
        self.assert_pulls("published", None)
        self.assert_bound("published", "ant")

    def test_making_a_space_private_keeps_out_all_but_the_bound_and_is_audited(self) -> None:
        # Harbor's own audit has no line for it.
        self.do("create-space", "withdrawn", "--public")
        self.bind("withdrawn", "ant")
        self.assert_pulls("withdrawn", None)
        result = self.do("update-space", "withdrawn", "--private", "--actor", "ada")
        self.assert_pulls_not("withdrawn", None)
        self.assert_pulls("withdrawn", self.login_of("ant", "withdrawn"))
        audited = [
            record["value"]
            for record in self.stage.tail("audit")
            if record["value"]["command_id"] == result["command_id"]
        ]
        self.assertEqual([one["actor"] for one in audited], ["ada"])
        before, after = audited[0]["before"], audited[0]["after"]
        self.assertEqual((before["visibility"], after["visibility"]), ("PUBLIC", "PRIVATE"))
        self.assertEqual(after["workspaces"], ["ant"], "who can still pull")

    # Deleting.

    def test_a_bound_space_is_not_deleted_and_its_workspaces_are_named(self) -> None:
        self.do("create-space", "in-use", "--private")
        self.bind("in-use", "ant", "bee")
        result = self.refuse("space.bound", "delete-space", "in-use")
        self.assertIn("ant", result["message"])
        self.assertEqual(result["details"]["workspaces"], "ant, bee")
        self.assert_bound("in-use", "ant", "bee")
        result = self.do("delete-space", "in-use", "--unbind")
        self.assertEqual(result["details"]["workspaces"], "ant, bee")
        self.assert_gone("in-use")
        self.assert_not_in("in-use", "ant", "bee")

    def test_a_space_with_images_is_not_deleted_and_their_number_is_told(self) -> None:
        self.do("create-space", "full", "--private")
        for repository in ("web", "db", "cache"):
            self.stage.sandbox.push("full", repository)
        result = self.refuse("space.not_empty", "delete-space", "full")
        self.assertEqual(result["details"]["repositories"], "3")
        self.assertIn("3", result["message"])
        self.assert_bound("full")
        for repository in ("web", "db", "cache"):
            self.stage.sandbox.remove_repository("full", repository)
        self.do("delete-space", "full")
        self.assert_gone("full")

    def test_deleting_what_is_gone_in_harbor_succeeds_and_clears_its_bindings(self) -> None:
        # A space that said "No binding" and yet couldn't be deleted because of one, elsewhere.
        self.do("create-space", "vanished", "--private")
        self.bind("vanished", "ant")
        self.hand.delete_project("vanished")
        result = self.do("delete-space", "vanished")
        self.assertEqual(result["code"], "space.deleted")
        self.assert_gone("vanished")
        self.assert_not_in("vanished", "ant")
        self.assertFalse(self.do("delete-space", "vanished")["changed"])

    def test_a_quota_works_once_harbor_keeps_one_for_the_project(self) -> None:
        self.hand.keep_quotas(False)
        self.addCleanup(self.hand.keep_quotas, True)
        self.do("create-space", "unlimited")
        more = ("update-space", "unlimited", "--quota", "1G")
        self.refuse("quota.unsupported", *more)
        # Switching them on makes none for what is there.
        self.hand.keep_quotas(True)
        said = self.refuse("quota.unsupported", *more)["message"]
        self.assertIn("POST /api/internal/syncquota", said)
        self.hand.sync_quotas()
        self.do(*more)
        project_id = self.stage.project("unlimited")["project_id"]
        self.assertEqual(self.hand.quota_bytes(project_id), 1 << 30)

    def test_the_public_space_that_harbor_comes_with_is_not_deleted(self) -> None:
        self.refuse("space.protected", "delete-space", "library", "--no-check")
        self.assertEqual(self.calls(), {})
        self.assertIsNotNone(self.stage.project("library"))

    def test_there_is_no_command_to_rename_a_space(self) -> None:
        words = ("send", "rename-space", "--registry", "alpha", "--space", "old")
        said = self.stage.berth(*words, accept=(USAGE,)).stderr
        self.assertIn("rename-space", said)

    # Registries.

    def test_read_only_mode_pauses_its_registry_and_makes_no_dead_letter(self) -> None:
        letters = len(self.stage.tail("dlq"))
        self.stage.sandbox.faults(read_only=True)
        self.addCleanup(self.stage.sandbox.faults)
        self.stage.sandbox.reset_counters()
        self.stage.berth("send", "create-space", "--registry", "alpha", "--space", "patient")
        wait_until(
            "it was probed more often than it has attempts",
            lambda: self.calls().get("GET /systeminfo", 0) > ATTEMPTS,
            WAIT_S,
        )
        self.assertEqual(self.calls().get("POST /projects"), 1)
        # Another registry isn't held up.
        self.do("create-space", "patient", registry="beta")
        self.assertEqual(self.answers_about("alpha", "patient"), [])
        self.stage.sandbox.faults()
        wait_until("the answer", lambda: self.answers_about("alpha", "patient"), WAIT_S, 0.1)
        (answer,) = self.answers_about("alpha", "patient")
        self.assertEqual(answer["code"], "space.created")
        self.assertEqual(len(self.stage.tail("dlq")), letters)

    def test_a_changed_url_or_password_is_taken_over_without_a_restart(self) -> None:
        (worker,) = self.stage.workers
        right = worker.configuration.read_text()
        self.addCleanup(worker.reload, right)
        self.do("create-space", "moving")  # There is a session.

        # A password that Harbor refuses: the session that there is goes on.
        wrong = self.stage.folder / "wrong.password"
        wrong.write_text("Wrong-Passw0rd")
        wrong.chmod(0o600)
        password = f"password_file = {self.stage.sandbox.password_file}"
        worker.reload(right.replace(password, f"password_file = {wrong}", 1))
        wait_until("the refusal", lambda: "refuses the login" in worker.log.read_text(), WAIT_S)
        self.do("update-space", "moving", "--public")

        # A place where nobody is: commands wait.
        url = self.stage.sandbox.url("alpha")
        worker.reload(right.replace(f"url = {url}", f"url = http://127.0.0.1:{free_port()}", 1))
        self.stage.sandbox.reset_counters()
        self.stage.berth("send", "create-space", "--registry", "alpha", "--space", "moved")
        self.do("create-space", "moved", registry="beta")
        self.assertEqual(self.answers_about("alpha", "moved"), [])
        self.assertEqual(self.calls(), {})

        worker.reload(right)
        wait_until("the answer", lambda: self.answers_about("alpha", "moved"), WAIT_S, 0.1)
        (answer,) = self.answers_about("alpha", "moved")
        self.assertEqual(answer["code"], "space.created")
        self.assertTrue(worker.running)

    def answers_about(self, registry: str, space: str) -> list[Any]:
        found = [record["value"] for record in self.stage.tail("results")]
        return [one for one in found if (one["registry"], one["space"]) == (registry, space)]

    # Bounds.

    def test_a_thousand_workspaces_are_bound_in_one_command(self) -> None:
        names = [f"ws-{number:04}" for number in range(WORKSPACES_MAX)]
        self.do("create-space", "crowded", "--private")
        began = time.monotonic()
        bound = self.bind("crowded", *names)
        took_s = time.monotonic() - began
        self.assertEqual({one["change"] for one in bound["bindings"]}, {"BOUND"})
        self.assertEqual(len(bound["bindings"]), WORKSPACES_MAX)
        expected = {call: count * WORKSPACES_MAX for call, count in BIND_ONE.items()} | PLACE
        self.assertEqual(self.calls(), expected)
        self.assert_bound("crowded", *names)
        began = time.monotonic()
        self.unbind("crowded", *names)
        unbound_s = time.monotonic() - began
        self.assert_bound("crowded")
        print(f"bound in {took_s:.1f} s, unbound in {unbound_s:.1f} s ... ", end="", flush=True)

    def test_more_workspaces_than_a_command_may_have_are_refused(self) -> None:
        names = [f"ws-{number:04}" for number in range(WORKSPACES_MAX + 1)]
        self.do("create-space", "overfull", "--private")
        words = ("--no-check", *options_of(names))
        self.refuse("command.workspaces_too_many", "bind-workspace", "overfull", *words)
        self.assertEqual(self.calls(), {})


def options_of(workspaces: Any) -> list[str]:
    return [word for workspace in workspaces for word in ("--workspace", workspace)]


if __name__ == "__main__":
    run_tests(Spaces)
