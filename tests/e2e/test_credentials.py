# SPDX-License-Identifier: Apache-2.0
"""Pull credentials as whoever deploys uses them: printed by berth, tried on the registry's token
service, where the actions in the token say what may be done (harbor-contract 7.1)."""

import base64
import json
import re
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from by_hand import ByHand
from run import run_tests
from stage import DEPLOYMENT, NO_ANSWER, REFUSED, REGISTRY_UIDS, USAGE
from workload import StageCase

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "credentials.md"
EXAMPLE = DOCS / "examples" / "derive_pull_secret.py"


class Credentials(StageCase):
    partitions = 1

    def setUp(self) -> None:
        super().setUp()
        self.worker = self.stage.add_worker()
        for space in ("team-a", "team-b"):
            self.do("create-space", space, "--private")

    def do(self, command: str, space: str, *options: str) -> None:
        """Sends a command and waits for its toast."""
        words = (command, "--registry", "alpha", "--space", space, *options)
        result = self.stage.send(*words)
        self.assertEqual(result["outcome"], "SUCCEEDED", result)

    def bind(self, space: str, workspace: str) -> None:
        self.do("bind-workspace", space, "--workspace", workspace)

    def unbind(self, space: str, workspace: str) -> None:
        self.do("unbind-workspace", space, "--workspace", workspace)

    def pull_secret(self, workspace: str, *options: str) -> str:
        """What is printed, with nothing on standard error."""
        done = self.stage.berth("pull-secret", "--workspace", workspace, *options)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def refused(self, *options: str, status: int = REFUSED) -> str:
        """Why; nothing is printed that a script could take for a credential."""
        done = self.stage.berth("pull-secret", *options, accept=(status,))
        self.assertEqual(done.stdout, "")
        return done.stderr

    def login_of(self, workspace: str, space: str) -> tuple[str, str]:
        """User and password for one space."""
        where = ("--registry", "alpha", "--space", space)
        (line,) = self.pull_secret(workspace, *where, "--output", "user-password").splitlines()
        named, user, password = line.split("\t")
        self.assertEqual(named, f"alpha/{space}")
        return user, password

    def actions(self, login: tuple[str, str], space: str) -> list[str]:
        """What the token service lets this login do with an image of the space."""
        scope = urllib.parse.quote(f"repository:{space}/img:pull", safe="")
        url = self.stage.sandbox.url("alpha")
        request = urllib.request.Request(
            f"{url}/service/token?service=harbor-registry&scope={scope}"
        )
        basic = base64.b64encode(":".join(login).encode()).decode()
        request.add_header("Authorization", f"Basic {basic}")
        with urllib.request.urlopen(request, timeout=10) as reply:
            token = json.load(reply)["token"]
        payload = token.split(".")[1]
        padded = payload + "=" * (-len(payload) % 4)
        (access,) = json.loads(base64.urlsafe_b64decode(padded))["access"]
        return access["actions"] or []

    def configuration_with(self, old: str, new: str) -> Path:
        """The client's configuration, one thing changed."""
        text = self.stage.client_configuration.read_text()
        self.assertIn(old, text)
        path = self.stage.folder / "other.conf"
        path.write_text(text.replace(old, new))
        return path

    def with_configuration(self, path: Path, *words: str) -> subprocess.CompletedProcess:
        command = [str(self.stage.program("berth")), "-c", str(path), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def test_a_credential_pulls_after_the_toast_and_not_after_the_unbind(self) -> None:
        self.bind("team-a", "blue")
        blue = self.login_of("blue", "team-a")
        self.assertIn("pull", self.actions(blue, "team-a"))
        self.assertNotIn("push", self.actions(blue, "team-a"), "pull, and no more")

        self.unbind("team-a", "blue")
        self.assertEqual(self.actions(blue, "team-a"), [])
        said = self.refused("--workspace", "blue", "--registry", "alpha", "--space", "team-a")
        self.assertIn("workspace blue isn't bound to space team-a of registry alpha", said)

        self.bind("team-a", "blue")
        again = self.login_of("blue", "team-a")
        self.assertIn("pull", self.actions(again, "team-a"))
        self.assertNotEqual(again, blue, "another robot, another secret")

    def derive(self, master_key: Path, *words: object) -> list[str]:
        """Key id, workspace key and secret, computed without anything of berth."""
        command = [str(EXAMPLE), str(master_key), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.split()

    def test_a_credential_is_what_the_documented_derivation_gives(self) -> None:
        self.bind("team-a", "blue")
        project_id = self.stage.project("team-a")["project_id"]
        (robot,) = self.stage.robots(project_id)
        key_id, key, secret = self.derive(
            self.stage.master_key, "blue", REGISTRY_UIDS["alpha"], project_id, robot["id"]
        )
        self.assertEqual(self.login_of("blue", "team-a"), (robot["name"], secret))
        printed = self.stage.berth("workspace-key", "--workspace", "blue").stdout
        self.assertEqual(printed, f"blue:{key_id}:{key}\n")
        printed = self.stage.berth("workspace-key", "--workspace", "blue", "--json").stdout
        parts = {"workspace": "blue", "key_id": key_id, "key": key}
        self.assertEqual(json.loads(printed), parts)
        (line,) = self.pull_secret("blue", "--json").splitlines()
        self.assertEqual(json.loads(line)["user"], robot["name"])
        self.assertEqual(json.loads(line)["password"], secret)

    def test_the_documented_vectors_are_what_the_documented_derivation_gives(self) -> None:
        page = PAGE.read_text()
        master_key = self.stage.folder / "counting-key"
        master_key.write_bytes(bytes(range(32)))
        vectors = re.findall(r"^\| ([0-9a-f-]{36}) \| (\d+) \| (\d+) \| (\w+) \|$", page, re.M)
        self.assertEqual(len(vectors), 2)
        for *words, expected in vectors:
            key_id, key, secret = self.derive(master_key, "ws-alpha", *words)
            self.assertEqual(secret, expected)
            self.assertIn(f"key id `{key_id}`", page)
            self.assertIn(f"whose key is `{key}`", page)

    def test_a_credential_pulls_from_the_space_of_its_binding_alone(self) -> None:
        self.bind("team-a", "blue")
        self.bind("team-b", "green")
        blue = self.login_of("blue", "team-a")
        green = self.login_of("green", "team-b")
        self.assertEqual(self.actions(blue, "team-b"), [])
        self.assertEqual(self.actions(green, "team-a"), [])
        mixed = (blue[0], green[1])
        self.assertEqual(self.actions(mixed, "team-a"), [], "the password of another workspace")
        said = self.refused("--workspace", "green", "--space", "team-a")
        self.assertIn("workspace green isn't bound to space team-a", said)

    def test_a_kubernetes_secret_holds_all_bindings_of_the_workspace(self) -> None:
        # Longer than a plain robot name may be, and not in lower case: its robot bears a hash.
        workspace = "Blue_" + "x" * 60
        for space in ("team-b", "team-a"):
            self.bind(space, workspace)
        names = ("--name", "pull", "--namespace", "prod")
        lines = self.pull_secret(workspace, *names).splitlines()
        self.assertIn('  name: "pull"', lines)
        self.assertIn('  namespace: "prod"', lines)
        self.assertIn("type: kubernetes.io/dockerconfigjson", lines)
        coded = lines[-1].removeprefix("  .dockerconfigjson: ")
        docker = json.loads(base64.b64decode(coded, validate=True))
        printed = self.pull_secret(workspace, "--output", "dockerconfigjson")
        self.assertEqual(docker, json.loads(printed))

        host = f"127.0.0.1:{self.stage.sandbox.ports['alpha']}"
        self.assertEqual(list(docker["auths"]), [f"{host}/team-a", f"{host}/team-b"])
        for key, entry in docker["auths"].items():
            login = (entry["username"], entry["password"])
            self.assertEqual(base64.b64decode(entry["auth"]).decode(), ":".join(login))
            self.assertIn("pull", self.actions(login, key.split("/")[1]))

        # Images may be named otherwise than where Harbor's API is.
        url = f"url = {self.stage.sandbox.url('alpha')}"
        named = self.configuration_with(url, f"{url}\npull_host = images.example.com")
        words = ("pull-secret", "--workspace", workspace, "--output", "dockerconfigjson")
        done = self.with_configuration(named, *words)
        self.assertEqual(
            list(json.loads(done.stdout)["auths"]),
            ["images.example.com/team-a", "images.example.com/team-b"],
        )

    def test_the_key_of_a_workspace_derives_its_credentials_and_no_others(self) -> None:
        self.bind("team-a", "blue")
        self.bind("team-a", "green")
        key = self.stage.folder / "blue.key"
        key.touch(mode=0o600)
        key.write_text(self.stage.berth("workspace-key", "--workspace", "blue").stdout)
        # Its holder has no master key: the file isn't even there.
        without = self.configuration_with(str(self.stage.master_key), "/nonexistent/master")
        words = ("pull-secret", "--output", "user-password", "--key-file", str(key))
        done = self.with_configuration(without, *words, "--workspace", "blue")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, self.pull_secret("blue", "--output", "user-password"))

        done = self.with_configuration(without, *words, "--workspace", "green")
        self.assertEqual((done.returncode, done.stdout), (USAGE, ""))
        self.assertIn("this is the key of workspace blue, not of green", done.stderr)
        self.assertNotIn(key.read_text().strip().split(":")[2], done.stderr)

    def test_a_secret_that_another_master_key_set_is_not_derived(self) -> None:
        self.bind("team-a", "blue")
        other = self.stage.folder / "other-key"
        other.touch(mode=0o644)
        other.write_text("another master key of 32 bytes or more\n")
        path = self.configuration_with(str(self.stage.master_key), str(other))
        done = self.with_configuration(path, "pull-secret", "--workspace", "blue")
        self.assertEqual((done.returncode, done.stdout), (REFUSED, ""))
        self.assertIn("was set with the master key whose id is", done.stderr)
        self.assertIn(f"{other} can be read by everybody", done.stderr)

    def test_after_a_new_master_key_binding_again_sets_the_secret_anew(self) -> None:
        self.bind("team-a", "blue")
        old = self.login_of("blue", "team-a")
        self.worker.terminate()
        self.assertEqual(self.worker.wait_end(), 0)
        key = self.stage.folder / "old.key"
        key.touch(mode=0o600)
        key.write_text(self.stage.berth("workspace-key", "--workspace", "blue").stdout)
        self.stage.master_key.write_text("another master key of 32 bytes or more\n")
        self.worker.start_again()
        self.assertIn("was set with the master key", self.refused("--workspace", "blue"))
        self.assertIn("pull", self.actions(old, "team-a"), "pulls go on meanwhile")
        printed = self.pull_secret("blue", "--key-file", str(key), "--output", "user-password")
        self.assertEqual(tuple(printed.strip().split("\t")[1:]), old)

        self.bind("team-a", "blue")
        new = self.login_of("blue", "team-a")
        self.assertEqual(new[0], old[0], "the same robot")
        self.assertIn("pull", self.actions(new, "team-a"))
        self.assertEqual(self.actions(old, "team-a"), [])

    def robot(self, space: str = "team-a") -> dict[str, Any]:
        """The only one of the space."""
        (robot,) = self.stage.robots(self.stage.project(space)["project_id"])
        return robot

    def repairs(self, code: str, workspace: str = "blue") -> None:
        """The remedy that pull-secret names works, at once and while the space is warm."""
        words = ("--registry", "alpha", "--space", "team-a", "--workspace", workspace)
        result = self.stage.send("bind-workspace", *words)
        self.assertEqual(result["outcome"], "SUCCEEDED", result)
        (binding,) = result["bindings"]
        self.assertEqual(binding["code"], code)
        login = self.login_of(workspace, "team-a")
        self.assertEqual(self.actions(login, "team-a"), ["pull"])

    def is_cold(self) -> bool:
        return dict(self.stage.redis.hash("berth:v1:space:alpha/team-a"))["verified_at"] == "0"

    def test_a_robot_that_was_disabled_by_hand_is_named_and_repaired(self) -> None:
        self.bind("team-a", "blue")
        robot = self.robot()
        self.change_robot("PUT", robot["id"], robot | {"disable": True})
        self.assertIn("was disabled in Harbor", self.refused("--workspace", "blue"))
        self.assertTrue(self.is_cold())
        self.repairs("workspace.repaired")
        self.assertFalse(self.is_cold())

    def test_a_robot_that_was_deleted_by_hand_is_named_and_made_again(self) -> None:
        self.bind("team-a", "blue")
        self.change_robot("DELETE", self.robot()["id"])
        self.assertIn("has no robot account", self.refused("--workspace", "blue"))
        self.assertTrue(self.is_cold())
        self.repairs("workspace.bound")

    def test_a_secret_that_was_set_by_hand_is_named_and_set_again(self) -> None:
        self.bind("team-a", "blue")
        self.change_robot("PATCH", self.robot()["id"], {"secret": "SetByHand1"})
        said = self.refused("--workspace", "blue")
        self.assertIn("the registry refuses its secret", said)
        remedy = "berth send bind-workspace --registry alpha --space team-a --workspace blue --wait"
        self.assertIn(remedy, said)
        self.assertTrue(self.is_cold())
        self.assertNotEqual(self.pull_secret("blue", "--no-verify"), "", "untried, on demand")
        self.repairs("workspace.unchanged")

    def test_a_robot_whose_rights_were_changed_is_named_and_repaired(self) -> None:
        self.bind("team-a", "blue")
        robot = self.robot()
        (permission,) = robot["permissions"]
        push = permission | {"access": [{"resource": "artifact", "action": "list"}]}
        self.change_robot("PUT", robot["id"], robot | {"permissions": [push]})
        said = self.refused("--workspace", "blue")
        self.assertIn("gives it no right to pull", said)
        self.assertTrue(self.is_cold())
        self.repairs("workspace.repaired")

    def test_a_right_too_many_is_taken_away_by_a_bind(self) -> None:
        self.bind("team-a", "blue")
        robot = self.robot()
        (permission,) = robot["permissions"]
        more = permission["access"] + [{"resource": "repository", "action": "push"}]
        self.change_robot("PUT", robot["id"], robot | {"permissions": [permission | {"access": more}]})
        self.repairs("workspace.repaired")

    def test_a_robot_that_was_given_an_end_is_for_ever_again_after_a_bind(self) -> None:
        self.bind("team-a", "blue")
        robot = self.robot()
        self.change_robot("PUT", robot["id"], robot | {"duration": 7})
        self.repairs("workspace.repaired")
        self.assertEqual(self.robot()["expires_at"], -1)

    def test_in_a_public_space_a_wrong_secret_is_found_too(self) -> None:
        self.do("update-space", "team-a", "--public")
        self.bind("team-a", "blue")
        self.change_robot("PATCH", self.robot()["id"], {"secret": "SetByHand1"})
        self.assertIn("the registry refuses its secret", self.refused("--workspace", "blue"))

    def test_a_project_that_was_made_anew_by_hand_keeps_nothing_of_a_bind(self) -> None:
        by_hand = ByHand(self.stage.sandbox)
        by_hand.delete_project("team-a")
        project_id = by_hand.make_project("team-a")
        words = ("--registry", "alpha", "--space", "team-a", "--workspace", "blue")
        result = self.stage.send("bind-workspace", *words)
        self.assertEqual((result["outcome"], result["code"]), ("REJECTED", "space.replaced"))
        self.assertEqual(self.stage.robots(project_id), [])
        self.assertEqual(result["space_state"]["project_id"], project_id)
        self.repairs("workspace.bound")

    def test_another_installation_of_the_same_name_keeps_its_secret(self) -> None:
        access = [{"resource": "repository", "action": "pull"}]
        permission = {"kind": "project", "namespace": "team-a", "access": access}
        body = {
            "name": "ws-blue",
            "level": "project",
            "duration": -1,
            "description": f"berth={DEPLOYMENT};key=01d01d01;ws=blue",
            "permissions": [permission],
        }
        made = ByHand(self.stage.sandbox).ask("POST", "/robots", body)
        words = ("--registry", "alpha", "--space", "team-a", "--workspace", "blue")
        result = self.stage.send("bind-workspace", *words)
        self.assertEqual((result["outcome"], result["code"]), ("REJECTED", "binding.foreign_robot"))
        theirs = (made["name"], made["secret"])
        self.assertEqual(self.actions(theirs, "team-a"), ["pull"])
        self.assertEqual(self.robot()["description"], body["description"])

    def test_a_robot_with_a_marker_of_old_is_ours_and_gets_one_of_today(self) -> None:
        self.bind("team-a", "blue")
        robot = self.robot()
        self.assertRegex(robot["description"], f"^berth={DEPLOYMENT};key=[0-9a-f]{{8}};ws=blue$")
        old = robot | {"description": f"berth={DEPLOYMENT};ws=blue"}
        self.change_robot("PUT", robot["id"], old)
        self.repairs("workspace.unchanged")
        self.assertEqual(self.robot()["description"], robot["description"])

    def change_robot(self, method: str, robot_id: int, body: Any = None) -> None:
        """As a person does it in Harbor."""
        url = f"{self.stage.sandbox.url('alpha')}/api/v2.0/robots/{robot_id}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, method=method)
        login = f"{self.stage.sandbox.user}:{self.stage.sandbox.password}".encode()
        request.add_header("Authorization", "Basic " + base64.b64encode(login).decode())
        request.add_header("Content-Type", "application/json")
        urllib.request.urlopen(request, timeout=10).close()

    def test_who_does_not_answer_is_named(self) -> None:
        self.bind("team-a", "blue")
        self.stage.sandbox.faults(status=503)
        said = self.refused("--workspace", "blue", status=NO_ANSWER)
        self.assertIn("registry alpha is out of order: HTTP 503", said)
        self.stage.sandbox.faults(away="hang")
        said = self.refused("--workspace", "blue", status=NO_ANSWER)
        self.assertRegex(said, "registry alpha at .* doesn't answer: .*timed out")
        self.stage.sandbox.kill()
        said = self.refused("--workspace", "blue", status=NO_ANSWER)
        self.assertIn("registry alpha at http://127.0.0.1:", said)
        self.stage.redis.ask("CLIENT", "PAUSE", "60000")
        said = self.refused("--workspace", "blue", status=NO_ANSWER)
        self.assertIn(f"Redis at {self.stage.redis.address}: no reply for 2000 ms", said)
        self.stage.redis.kill()
        said = self.refused("--workspace", "blue", status=NO_ANSWER)
        self.assertIn(f"Redis at {self.stage.redis.address}: Connection refused", said)

    def test_a_name_that_berth_never_wrote_is_not_printed(self) -> None:
        self.bind("team-a", "blue")
        name = 'alpha/a":{},"b'
        fields = dict(self.stage.redis.hash("berth:v1:space:alpha/team-a"))
        words = [word for pair in fields.items() for word in pair]
        self.stage.redis.ask("HSET", f"berth:v1:space:{name}", *words)
        self.stage.redis.ask("ZADD", "berth:v1:workspace:blue", "0", name)
        said = self.refused("--workspace", "blue")
        self.assertIn("holds a space's name that isn't one", said)

    def test_a_redis_that_berthd_does_not_use_is_no_answer(self) -> None:
        self.bind("team-a", "blue")
        path = self.configuration_with("[redis]", "[redis]\nprefix = elsewhere:")
        done = self.with_configuration(path, "pull-secret", "--workspace", "blue")
        self.assertEqual((done.returncode, done.stdout), (REFUSED, ""))
        self.assertIn("is it the one that berthd uses?", done.stderr)

    def test_redis_is_asked_with_the_configured_login_and_database(self) -> None:
        self.bind("team-a", "blue")
        expected = self.pull_secret("blue")
        (allowed,) = re.findall(r"\(`(\+@read [^`]+)`\)", PAGE.read_text())
        who = ("ACL", "SETUSER", "reader", "on", ">sesame", "~*")
        self.stage.redis.ask(*who, *allowed.split())
        password = self.stage.folder / "redis-password"
        password.touch(mode=0o600)
        login = f"[redis]\nusername = reader\npassword_file = {password}\n"
        words = ("pull-secret", "--workspace", "blue")
        password.write_text("sesame\n")
        done = self.with_configuration(self.configuration_with("[redis]\n", login), *words)
        self.assertEqual((done.returncode, done.stdout), (0, expected), done.stderr)
        password.write_text("wrong\n")
        done = self.with_configuration(self.configuration_with("[redis]\n", login), *words)
        self.assertEqual((done.returncode, done.stdout), (REFUSED, ""))
        self.assertIn("refuses the login", done.stderr)
        password.write_text("sesame\n")
        self.stage.redis.ask(*who, "-@all", "+@read")
        done = self.with_configuration(self.configuration_with("[redis]\n", login), *words)
        self.assertEqual((done.returncode, done.stdout), (REFUSED, ""))
        self.assertIn("NOPERM", done.stderr)
        other = self.configuration_with("[redis]\n", "[redis]\ndatabase = 3\n")
        done = self.with_configuration(other, *words)
        self.assertEqual((done.returncode, done.stdout), (REFUSED, ""))
        self.assertIn("in database 3: is it the one that berthd uses?", done.stderr)

    def test_what_makes_no_sense_is_wrong_usage(self) -> None:
        for options in (
            ("--registry", "alpha"),
            ("--workspace", "no/slash"),
            ("--workspace", "blue", "--registry", "gamma"),
            ("--workspace", "blue", "--output", "yaml"),
            ("--workspace", "blue", "--name", "Upper"),
            ("--workspace", "blue", "--namespace", "a.b"),
            ("--workspace", "blue", "--name", "pull", "--output", "user-password"),
            ("--workspace", "blue", "--key-file", "/nonexistent"),
        ):
            with self.subTest(options=options):
                self.assertNotEqual(self.refused(*options, status=USAGE), "")


if __name__ == "__main__":
    run_tests(StageCase)
