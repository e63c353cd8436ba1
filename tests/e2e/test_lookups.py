# SPDX-License-Identifier: Apache-2.0
"""Lookups over HTTP, as a console asks them (docs/lookups.md)."""

import base64
import http.client
import json
import re
import shlex
import socket
import subprocess
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Optional

from run import run_tests
from stage import Worker, wait_until
from workload import StageCase, wait_for_answers

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "lookups.md"
EXAMPLE = DOCS / "examples" / "choose_image.py"
# A command of the page and what it prints.
SHOWN = re.compile(r"^\$ (.*)\n((?:(?!\$ |```).*\n)+)", re.MULTILINE)
# Times, command ids and versions are of the day; so are ids, which others may have taken before.
VARIES = re.compile(
    r'"20[0-9T:.-]+Z"|"[0-9a-f]{8}-[0-9a-f-]{27}"|(?<="version":)\d+|(?<=_id":)\d+'
)
MANY_SPACES = 250
LIMIT = 60
IDLE_CONNECTIONS = 300
# How long an orchestrator's probe waits by default (Kubernetes: timeoutSeconds 1), generously.
PROBE_S = 5
SOON_S = 30
SPACES = "/v1/registries/alpha/spaces"


class Lookups(StageCase):
    partitions = 1

    def setUp(self) -> None:
        super().setUp()
        self.worker = self.stage.add_worker()

    def do(self, command: str, space: str, *options: str, registry: str = "alpha") -> str:
        """Sends a command and waits for its toast; its id."""
        result = self.stage.send(command, "--registry", registry, "--space", space, *options)
        self.assertEqual(result["outcome"], "SUCCEEDED", result)
        return result["command_id"]

    def ask(self, target: str, worker: Optional[Worker] = None) -> tuple[int, Any, dict[str, str]]:
        """Status, body and headers."""
        port = (worker or self.worker).admin_port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", target)
            reply = connection.getresponse()
            body = json.loads(reply.read())
            return reply.status, body, dict(reply.getheaders())
        finally:
            connection.close()

    def get(self, target: str) -> Any:
        status, body, _ = self.ask(target)
        self.assertEqual(status, 200, body)
        return body

    def names(self, target: str) -> list[str]:
        """The spaces of a list that is one page."""
        body = self.get(target)
        self.assertIsNone(body["next"])
        return [f"{one['registry']}/{one['space']}" for one in body["spaces"]]

    def assert_refused(self, target: str, status: int, code: str) -> tuple[str, dict[str, str]]:
        """The message and the headers."""
        got, body, headers = self.ask(target)
        self.assertEqual((got, body["error"]["code"]), (status, code), body)
        return body["error"]["message"], headers

    def make_by_hand(self, project: str) -> None:
        """A project that no command asked for."""
        sandbox = self.stage.sandbox
        login = base64.b64encode(f"{sandbox.user}:{sandbox.password}".encode()).decode()
        request = urllib.request.Request(
            f"{sandbox.url('alpha')}/api/v2.0/projects",
            json.dumps({"project_name": project, "metadata": {"public": "true"}}).encode(),
            {"Authorization": f"Basic {login}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as reply:
            self.assertEqual(reply.status, 201)

    def test_who_reads_the_toast_reads_what_it_says(self) -> None:
        created = self.do("create-space", "team-a", "--private", "--quota", "1073741824")
        one = self.get(f"{SPACES}/team-a")
        project = self.stage.project("team-a")
        assert project is not None
        self.assertEqual(
            {name: one[name] for name in one if name not in ("as_of", "version")},
            {
                "registry": "alpha",
                "space": "team-a",
                "visibility": "PRIVATE",
                "quota_bytes": 1073741824,
                "project_id": project["project_id"],
                "bindings": [],
                "workspace_column": "No binding",
                "created_by": created,
                "updated_by": created,
                "updated_at": one["updated_at"],
                "verified_at": one["verified_at"],
            },
        )
        self.assertLessEqual(one["updated_at"], one["as_of"])
        self.assertIsNotNone(one["verified_at"])

        bound = self.do("bind-workspace", "team-a", "--workspace", "red", "--workspace", "blue")
        after = self.get(f"{SPACES}/team-a")
        self.assertEqual(after["workspace_column"], "blue, red")
        self.assertEqual([binding["state"] for binding in after["bindings"]], ["ACTIVE", "ACTIVE"])
        robots = {robot["id"] for robot in self.stage.robots(project["project_id"])}
        self.assertEqual({binding["robot_id"] for binding in after["bindings"]}, robots)
        self.assertEqual((after["created_by"], after["updated_by"]), (created, bound))
        self.assertGreater(after["version"], one["version"])
        self.assertEqual(self.names("/v1/workspaces/blue/spaces"), ["alpha/team-a"])
        listed = self.get(SPACES)["spaces"]
        del after["as_of"]
        self.assertEqual(listed, [after])

        self.do("unbind-workspace", "team-a", "--workspace", "blue")
        self.assertEqual(self.get(f"{SPACES}/team-a")["workspace_column"], "red")
        self.assertEqual(self.names("/v1/workspaces/blue/spaces"), [])
        self.do("delete-space", "team-a", "--unbind")
        self.assert_refused(f"{SPACES}/team-a", 404, "space.not_found")
        self.assertEqual(self.names(SPACES), [])

    def test_a_list_holds_what_its_filter_says(self) -> None:
        for space, visibility in (("bound", "private"), ("other", "private"), ("open", "public")):
            self.do("create-space", space, f"--{visibility}")
        self.do("create-space", "open", "--public", registry="beta")
        self.do("create-space", "bound", "--public", registry="beta")
        self.do("bind-workspace", "bound", "--workspace", "blue")
        self.do("bind-workspace", "bound", "--workspace", "blue", registry="beta")

        self.assertEqual(self.names(SPACES), ["alpha/bound", "alpha/open", "alpha/other"])
        self.assertEqual(self.names(f"{SPACES}?public=true"), ["alpha/open"])
        self.assertEqual(self.names(f"{SPACES}?workspace=blue"), ["alpha/bound"])
        self.assertEqual(
            self.names(f"{SPACES}?workspace=blue&public=true"), ["alpha/bound", "alpha/open"]
        )
        blue = "/v1/workspaces/blue/spaces"
        self.assertEqual(self.names(blue), ["alpha/bound", "beta/bound"])
        self.assertEqual(self.names(f"{blue}?registry=beta"), ["beta/bound"])
        everything = ["alpha/bound", "alpha/open", "beta/bound", "beta/open"]
        self.assertEqual(self.names(f"{blue}?public=true"), everything)
        self.assertEqual(self.names("/v1/workspaces/nobody/spaces"), [])

        self.do("update-space", "open", "--private")
        self.assertEqual(self.names(f"{SPACES}?public=true"), [])
        self.assertEqual(self.get(f"{SPACES}/open")["visibility"], "PRIVATE")

    def test_a_list_is_read_page_by_page(self) -> None:
        spaces = [f"space-{number:03}" for number in range(MANY_SPACES)]
        self.stage.send_batch(
            [f"create-space --registry alpha --space {space} --private" for space in spaces]
        )
        wait_for_answers(self.stage, MANY_SPACES)
        found: list[str] = []
        sizes = []
        target = f"{SPACES}?limit={LIMIT}"
        while True:
            page = self.get(target)
            found += [one["space"] for one in page["spaces"]]
            sizes.append(len(page["spaces"]))
            if page["next"] is None:
                break
            target = f"{SPACES}?limit={LIMIT}&after={page['next']}"
            # What comes before the cursor and what goes doesn't shift what follows.
            if len(sizes) == 1:
                self.do("create-space", "a-late-one", "--private")
                self.do("delete-space", "space-000")
        self.assertEqual(found, spaces)
        self.assertEqual(sizes, [LIMIT, LIMIT, LIMIT, LIMIT, MANY_SPACES - 4 * LIMIT])
        self.assertEqual(len(self.get(SPACES)["spaces"]), 100, "the usual page")
        self.assertEqual(len(self.names(f"{SPACES}?limit=1000")), MANY_SPACES)

    def test_what_was_not_there_is_found_as_soon_as_it_was_made(self) -> None:
        self.assert_refused(f"{SPACES}/new", 404, "space.not_found")
        self.do("create-space", "new", "--private")
        self.assertEqual(self.get(f"{SPACES}/new")["space"], "new")

    def test_a_project_made_by_hand_is_listed_once_it_was_asked_for(self) -> None:
        self.make_by_hand("by-hand")
        self.assertEqual(self.names(SPACES), [])
        one = self.get(f"{SPACES}/by-hand")
        self.assertEqual((one["visibility"], one["bindings"]), ("PUBLIC", []))
        self.assertEqual((one["created_by"], one["updated_by"]), (None, None))
        wait_until("it is listed", lambda: self.names(SPACES) == ["alpha/by-hand"], SOON_S)
        self.stage.sandbox.reset_counters()
        self.get(f"{SPACES}/by-hand")
        self.assertEqual(sum(self.stage.sandbox.counters().values()), 0, "Harbor isn't asked again")

    def test_without_redis_it_says_so_and_stays_alive(self) -> None:
        self.do("create-space", "team-a", "--private")
        self.stage.redis.kill()
        for target in (SPACES, f"{SPACES}/team-a", "/v1/workspaces/blue/spaces"):
            message, headers = self.assert_refused(target, 503, "redis.unavailable")
            self.assertGreater(len(message), 10)
            self.assertGreater(int(headers["Retry-After"]), 0)
        self.assertEqual(self.worker.admin_status("/livez"), 200)
        self.assertEqual(self.worker.admin_status("/readyz"), 503)
        self.stage.redis.start_again()
        wait_until("lookups again", lambda: self.ask(SPACES)[0] == 200, SOON_S)
        self.assertEqual(self.names(SPACES), ["alpha/team-a"])

    def test_without_its_registry_only_spaces_that_are_not_known_are_unavailable(self) -> None:
        self.do("create-space", "team-a", "--private")
        self.stage.sandbox.faults(away="refuse")
        message, headers = self.assert_refused(f"{SPACES}/unknown", 503, "registry.unavailable")
        self.assertIn("alpha", message)
        self.assertGreater(int(headers["Retry-After"]), 0)
        self.assertEqual(self.get(f"{SPACES}/team-a")["space"], "team-a")
        self.assertEqual(self.names(SPACES), ["alpha/team-a"])
        self.assert_refused("/v1/registries/beta/spaces/unknown", 404, "space.not_found")
        self.stage.sandbox.faults()
        wait_until(
            "an answer again", lambda: self.ask(f"{SPACES}/unknown")[0] == 404, SOON_S, pause_s=0.2
        )

    def test_a_registry_that_hangs_is_given_up_with_a_reason_and_holds_nothing_up(self) -> None:
        self.do("create-space", "team-a", "--private")
        self.stage.sandbox.faults(away="hang")
        with ThreadPoolExecutor(1) as pool:
            unknown = pool.submit(self.ask, f"{SPACES}/unknown")
            self.assertEqual(self.names(SPACES), ["alpha/team-a"])
            self.assertEqual(self.worker.admin_status("/livez"), 200)
            self.assertFalse(unknown.done())
            status, body, _ = unknown.result()
        self.assertEqual((status, body["error"]["code"]), (503, "registry.unavailable"), body)

    def test_the_page_shows_what_is_answered(self) -> None:
        for space in ("team-a", "team-b", "tools"):
            options = ["--public"] if space == "tools" else ["--private"]
            quota = ["--quota", "10737418240"] if space == "team-a" else []
            self.do("create-space", space, *options, *quota)
        self.do("bind-workspace", "team-a", "--workspace", "blue", "--workspace", "green")
        here = f"http://127.0.0.1:{self.worker.admin_port}"
        shown = SHOWN.findall(PAGE.read_text())
        self.assertGreater(len(shown), 5)
        for command, output in shown:
            words = shlex.split(command.replace("http://127.0.0.1:8780", here))
            got = self.read(words[-1]) if words[:2] == ["curl", "-s"] else self.run_example(*words)
            self.assertEqual(VARIES.sub("...", got), VARIES.sub("...", output), command)

    def read(self, url: str) -> str:
        """What curl -s prints."""
        try:
            with urllib.request.urlopen(url, timeout=30) as reply:
                return reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def run_example(self, name: str, *words: str) -> str:
        """As a reader would run it: with Debian's Python, and nothing of ours."""
        self.assertEqual(name, EXAMPLE.name)
        command = ["/usr/bin/python3", "-I", str(EXAMPLE), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_what_is_asked_wrongly_is_refused_with_what_is_wrong(self) -> None:
        message, _ = self.assert_refused("/v1/registries/gamma/spaces", 404, "registry.unknown")
        self.assertIn("gamma", message)
        message, _ = self.assert_refused(f"{SPACES}?limit=many", 400, "request.invalid")
        self.assertIn("limit", message)
        self.assert_refused("/v1/spaces", 404, "route.unknown")

    def test_a_pool_of_idle_connections_keeps_no_probe_waiting(self) -> None:
        request = f"GET {SPACES} HTTP/1.1\r\nHost: berth\r\n\r\n".encode()
        address = ("127.0.0.1", self.worker.admin_port)
        pool = []
        for _ in range(IDLE_CONNECTIONS):
            connection = self.enterContext(socket.create_connection(address, timeout=30))
            connection.sendall(request)
            self.assertTrue(connection.recv(4096).startswith(b"HTTP/1.1 200 "))
            pool.append(connection)
        with socket.create_connection(address, timeout=PROBE_S) as probe:
            probe.sendall(b"GET /livez HTTP/1.1\r\nHost: berth\r\n\r\n")
            self.assertTrue(probe.recv(4096).startswith(b"HTTP/1.1 200 "))
        pool[-1].sendall(request)
        self.assertTrue(pool[-1].recv(4096).startswith(b"HTTP/1.1 200 "), "the last is still kept")


if __name__ == "__main__":
    run_tests(StageCase)
