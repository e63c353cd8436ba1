# SPDX-License-Identifier: Apache-2.0
"""The stand-in's faults where HTTP itself matters: raw sockets, TLS, and what is applied when."""

import argparse
import base64
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
from pathlib import Path
from typing import Any, Optional

from service import exit_on_sigterm, wait_until
from services import Sandbox

PAGE = Path(__file__).resolve().parents[3] / "docs" / "sandbox.md"
API = "/api/v2.0"
WAIT_S = 30
PULL = {
    "kind": "project",
    "namespace": "team-a",
    "access": [{"resource": "repository", "action": "pull"}],
}
ROBOT = {"name": "ws-1", "level": "project", "duration": -1, "permissions": [PULL]}


class Reply:
    def __init__(self, reply: http.client.HTTPResponse, body: bytes) -> None:
        self.status = reply.status
        self.headers = reply.headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Case(unittest.TestCase):
    build: Any = None
    options: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="berth-wire-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.sandbox = Sandbox(self.folder, self.build.resolve())
        self.sandbox.options = self.options
        self.sandbox.start()
        self.addCleanup(self.sandbox.stop)

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.sandbox.ports["alpha"]

    def headers(self, user: str = "", password: str = "") -> dict[str, str]:
        login = f"{user or self.sandbox.user}:{password or self.sandbox.password}"
        return {
            "Authorization": "Basic " + base64.b64encode(login.encode()).decode(),
            "Content-Type": "application/json",
        }

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(*self.address, timeout=WAIT_S)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Optional[dict[str, str]] = None,
        connection: Optional[http.client.HTTPConnection] = None,
    ) -> Reply:
        client = connection or self.connect()
        text = None if body is None else json.dumps(body)
        client.request(method, path, text, headers or self.headers())
        reply = client.getresponse()
        answer = Reply(reply, reply.read())
        if connection is None:
            client.close()
        return answer

    def create(self, name: str = "team-a") -> Reply:
        return self.ask("POST", API + "/projects", {"project_name": name})

    def exists(self, name: str = "team-a") -> bool:
        return self.ask("HEAD", f"{API}/projects?project_name={name}").status == 200

    def raw(self, path: str, pieces: int = 1 << 20) -> bytes:
        """Everything that comes until the connection ends."""
        with socket.create_connection(self.address, WAIT_S) as client:
            request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            client.sendall(request.encode())
            received = b""
            while len(received) < pieces and (piece := client.recv(65536)):
                received += piece
            return received

    def peak_kib(self) -> int:
        """The most memory that the sandbox has had so far."""
        status = Path(f"/proc/{self.sandbox.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+)", status)
        assert found is not None
        return int(found.group(1))


class Bodies(Case):
    def test_a_truncated_body_is_shorter_than_its_length_and_the_connection_ends(self) -> None:
        self.sandbox.add_rule(body="truncated", route="GET /health")
        head, _, body = self.raw(API + "/health").partition(b"\r\n\r\n")
        found = re.search(rb"Content-Length: (\d+)", head)
        assert found is not None
        self.assertEqual(len(body) + 64, int(found.group(1)))
        self.assertEqual(json.loads(body)["status"], "healthy")
        with self.assertRaises(http.client.IncompleteRead):
            self.ask("GET", API + "/health")

    def test_a_cut_body_is_http_as_it_should_be_and_no_json(self) -> None:
        self.sandbox.add_rule(body="cut", count=1)
        client = self.connect()
        reply = self.ask("GET", API + "/health", connection=client)
        self.assertEqual(reply.status, 200)
        with self.assertRaises(ValueError):
            _ = reply.json
        # The connection goes on, and so does its next request.
        self.assertEqual(self.ask("GET", API + "/health", connection=client).status, 200)
        client.close()

    def test_a_dripping_body_is_whole_in_the_end(self) -> None:
        self.sandbox.add_rule(body="drip", drip_ms=2)
        client = self.connect()
        for _ in range(2):
            begun = time.monotonic()
            reply = self.ask("GET", API + "/health", connection=client)
            self.assertEqual(reply.json["status"], "healthy")
            self.assertGreater(time.monotonic() - begun, 0.002 * (len(reply.body) - 1))
        client.close()

    def test_a_gigabyte_is_never_in_memory(self) -> None:
        size = 1 << 28  # A quarter of one, for the test's sake.
        self.sandbox.add_rule(body="gigabyte", body_bytes=size)
        before_kib = self.peak_kib()
        client = self.connect()
        client.request("GET", API + "/health")
        reply = client.getresponse()
        self.assertEqual(reply.getheader("Content-Length"), str(size))
        received = 0
        while piece := reply.read(1 << 20):
            received += len(piece)
        self.assertEqual(received, size)
        client.close()
        self.assertLess(self.peak_kib() - before_kib, 64 << 10)

    def test_a_client_that_leaves_midway_harms_nobody(self) -> None:
        self.sandbox.add_rule(body="gigabyte", route="GET /health")
        self.sandbox.add_rule(body="drip", drip_ms=1, route="GET /systeminfo")
        for path in ("/health", "/systeminfo"):
            with socket.create_connection(self.address, WAIT_S) as client:
                client.sendall(f"GET {API}{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                client.recv(64)
        self.assertEqual(self.ask("GET", API + "/ping").body, b"Pong")
        # With streams whose clients read nothing, the port is closed and opened again.
        with socket.create_connection(self.address, WAIT_S) as client:
            client.sendall(f"GET {API}/health HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            client.recv(64)
            self.sandbox.faults(away="refuse")
            with self.assertRaises(ConnectionRefusedError):
                self.raw(API + "/ping")
            self.sandbox.faults()
        self.assertEqual(self.ask("GET", API + "/ping").body, b"Pong")

    def test_a_head_has_no_body_whatever_the_fault(self) -> None:
        for body in ("drip", "gigabyte", "html"):
            client = self.connect()
            self.sandbox.faults(body=body)
            self.ask("HEAD", API + "/robots", connection=client)
            # What stands behind the head would be taken for the next reply.
            self.sandbox.faults()
            reply = self.ask("GET", API + "/ping", connection=client)
            self.assertEqual((reply.status, reply.body), (200, b"Pong"))
            client.close()


class Outcomes(Case):
    def reset_of(self, method: str, path: str, body: Any) -> None:
        with self.assertRaises((ConnectionResetError, http.client.RemoteDisconnected)):
            self.ask(method, path, body)

    def test_a_reset_is_before_or_after_the_write(self) -> None:
        self.sandbox.add_rule(away="reset", count=1, route="POST /projects")
        self.reset_of("POST", API + "/projects", {"project_name": "team-a"})
        self.assertFalse(self.exists())
        self.sandbox.add_rule(away="reset_after", count=1, route="POST /projects")
        self.reset_of("POST", API + "/projects", {"project_name": "team-a"})
        self.assertTrue(self.exists())

    def test_a_write_is_applied_after_its_connection_was_reset(self) -> None:
        self.sandbox.add_rule(away="reset", commit_ms=300, count=1, route="POST /projects")
        self.reset_of("POST", API + "/projects", {"project_name": "team-a"})
        self.assertEqual(self.sandbox.writes(), [])
        wait_until("the write", self.exists, WAIT_S)
        (write,) = self.sandbox.writes()
        self.assertEqual((write["status"], write["replied"]), (201, False))

    def test_a_write_is_applied_after_its_client_gave_up(self) -> None:
        self.sandbox.add_rule(away="hang", commit_ms=500, count=1, route="POST /projects")
        client = http.client.HTTPConnection(*self.address, timeout=0.2)
        with self.assertRaises(TimeoutError):
            self.ask("POST", API + "/projects", {"project_name": "team-a"}, connection=client)
        client.close()
        self.assertFalse(self.exists())
        wait_until("the write", self.exists, WAIT_S)

    def test_what_hangs_is_reset_when_the_faults_change(self) -> None:
        self.sandbox.faults(away="hang")
        with socket.create_connection(self.address, WAIT_S) as client:
            client.sendall(f"GET {API}/ping HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            wait_until("the request", lambda: self.sandbox.counters()["GET /ping"] == 1, WAIT_S)
            self.sandbox.faults()
            with self.assertRaises(ConnectionResetError):
                client.recv(1)

    def test_an_error_hides_what_was_applied(self) -> None:
        self.sandbox.add_rule(status=504, body="html", apply=True, route="POST /projects")
        reply = self.create()
        self.assertEqual((reply.status, reply.headers["Content-Type"]), (504, "text/html"))
        self.assertTrue(self.exists())
        (write,) = self.sandbox.writes()
        self.assertEqual((write["status"], write["replied"]), (201, False))

    def test_a_robot_is_orphaned_between_reading_and_inserting(self) -> None:
        self.create()
        project = self.ask("GET", API + "/projects/team-a").json["project_id"]
        self.sandbox.add_rule(between_ms=1000, count=1, route="POST /robots")
        replies: list[Reply] = []
        bind = threading.Thread(
            target=lambda: replies.append(self.ask("POST", API + "/robots", ROBOT))
        )
        bind.start()
        wait_until("the bind", lambda: self.sandbox.counters()["POST /robots"] == 1, WAIT_S)
        self.assertEqual(self.ask("DELETE", f"{API}/projects/{project}").status, 200)
        bind.join()
        self.assertEqual(replies[0].status, 201)
        query = urllib.parse.quote(f"Level=project,ProjectID={project}")
        (orphan,) = self.ask("GET", f"{API}/robots?q={query}").json
        self.assertEqual(orphan["permissions"], [])

    def test_two_members_added_side_by_side_are_201_and_500(self) -> None:
        self.create()
        self.sandbox.add_rule(between_ms=500, route="POST /projects/{name_or_id}/members")
        member = {"role_id": 3, "member_user": {"username": "admin"}}
        statuses: list[int] = []
        path = API + "/projects/team-a/members"
        adds = [
            threading.Thread(
                target=lambda: statuses.append(self.ask("POST", path, member).status)
            )
            for _ in range(2)
        ]
        for add in adds:
            add.start()
        for add in adds:
            add.join()
        self.assertEqual(sorted(statuses), [201, 500])
        self.assertEqual(self.ask("POST", path, member).status, 409)


class Logins(Case):
    def test_passwords_cost_and_queue_and_sessions_and_robots_do_not(self) -> None:
        self.create()
        robot = self.ask("POST", API + "/robots", ROBOT).json
        session = self.session()
        self.sandbox.faults(password_ms=1000, cores=1)
        self.assertGreaterEqual(self.seconds_of_two(self.headers()), 2)
        cheap = self.headers(robot["name"], robot["secret"])
        self.assertLess(self.seconds_of_two(cheap), 2)
        self.assertLess(self.seconds_of_two(session), 2)

    def session(self) -> dict[str, str]:
        """The headers of a session, got as a browser gets them."""
        cookies: dict[str, str] = {}
        token = ""
        form = urllib.parse.urlencode(
            {"principal": self.sandbox.user, "password": self.sandbox.password}
        )
        steps = [("GET", API + "/systeminfo", None)] * 2 + [("POST", "/c/login", form)]
        for method, path, body in steps:
            client = self.connect()
            headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())}
            headers |= {"X-Harbor-CSRF-Token": token} if token else {}
            client.request(method, path, body, headers)
            reply = client.getresponse()
            reply.read()
            self.assertEqual(reply.status, 200)
            token = reply.getheader("X-Harbor-CSRF-Token") or token
            for cookie in reply.headers.get_all("Set-Cookie") or []:
                name, _, value = cookie.partition(";")[0].partition("=")
                cookies[name] = value
            client.close()
        return {"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())}

    def seconds_of_two(self, headers: dict[str, str]) -> float:
        """How long two requests at once take."""
        begun = time.monotonic()
        threads = [
            threading.Thread(target=self.ask, args=("GET", API + "/projects", None, headers))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.monotonic() - begun

    def test_a_failed_login_is_answered_late_and_locks_the_name(self) -> None:
        self.sandbox.faults(login_lock_ms=1000)
        begun = time.monotonic()
        wrong = threading.Thread(
            target=self.ask, args=("GET", API + "/ping", None, self.headers(password="wrong"))
        )
        wrong.start()
        wait_until("the failure", lambda: self.sandbox.counters()["GET /ping"] == 1, WAIT_S)
        current = API + "/users/current"
        locked = self.ask("GET", current).status
        if time.monotonic() - begun < 1:
            self.assertEqual(locked, 401)
        wrong.join()
        self.assertGreaterEqual(time.monotonic() - begun, 1)
        wait_until("the end", lambda: self.ask("GET", current).status == 200, WAIT_S)

    def test_sessions_are_forgotten_when_told_so(self) -> None:
        session = self.session()
        self.assertEqual(self.ask("GET", API + "/users/current", headers=session).status, 200)
        self.sandbox.add_rule(session="userless", count=1)
        reply = self.ask("GET", API + "/users/current", headers=session)
        self.assertEqual((reply.status, reply.headers["Set-Cookie"]), (401, None))
        self.sandbox.forget_sessions()
        reply = self.ask("GET", API + "/users/current", headers=session)
        self.assertEqual(reply.status, 401)
        self.assertIn("sid=", reply.headers["Set-Cookie"])


class Page(Case):
    """docs/sandbox.md: what is told there can be done."""

    text = PAGE.read_text()

    def test_every_example_of_a_fault_is_one(self) -> None:
        table = self.text.split("| what goes wrong | example |")[1].split("\n\n")[0]
        examples = re.findall(r"`(\{.*\})` \|$", table, re.M)
        self.assertEqual(len(examples), len(table.splitlines()) - 2)
        none = self.sandbox.admin("GET", "alpha", "faults")
        for example in examples:
            with self.subTest(example=example):
                faults = json.loads(example)
                self.sandbox.faults(**faults)
                shown = self.sandbox.admin("GET", "alpha", "faults")
                self.assertEqual(shown | faults, shown)
                self.sandbox.faults()
                self.assertEqual(self.sandbox.admin("GET", "alpha", "faults"), none)

    def test_the_commands_for_faults_run(self) -> None:
        (block,) = re.findall(r"^```\n(curl .*?)^```$", self.text, re.M | re.S)
        commands = block.replace("/main/", "/alpha/")
        environment = {"ADMIN": self.sandbox.admin_url, "PATH": os.environ["PATH"]}
        done = subprocess.run(
            ["sh", "-ec", commands], env=environment, capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_table_of_faults_has_every_key(self) -> None:
        keys = self.sandbox.admin("GET", "alpha", "faults").keys()
        for key in keys:
            self.assertRegex(self.text, f"[`\"]{key}[`\"]")

    def test_what_else_there_is_at_the_admin_port(self) -> None:
        admin = self.sandbox.admin
        admin("PUT", "alpha", "users/dave", {"password": "Some-Passw0rd", "sysadmin": True})
        dave = self.headers("dave", "Some-Passw0rd")
        reply = self.ask("GET", API + "/users/current", headers=dave)
        self.assertTrue(reply.json["sysadmin_flag"])
        admin("PUT", "alpha", "repositories/library/busybox")
        self.assertEqual(self.ask("DELETE", API + "/projects/library").status, 412)
        admin("DELETE", "alpha", "repositories/library/busybox")
        for what in ("counters", "writes", "sessions", "csrf-key", "faults"):
            admin("DELETE", "alpha", what)
        self.assertEqual(admin("GET", "alpha", "writes"), [])


class BasePath(Case):
    options = ("--base-path", "/harbor", "--plain-user", "carol", "--harbor-version", "2.9.1")

    def test_what_is_not_below_the_path_is_the_portals_page(self) -> None:
        reply = self.ask("GET", "/harbor" + API + "/systeminfo")
        self.assertEqual(reply.json["harbor_version"], "v2.9.1-00000000")
        self.assertIn("/harbor\n", self.sandbox.log.read_text())
        reply = self.ask("POST", API + "/projects", {"project_name": "team-a"})
        self.assertEqual((reply.status, reply.headers["Content-Type"]), (200, "text/html"))
        self.assertEqual(self.sandbox.counters()["POST /projects"], 0)
        self.assertEqual(self.sandbox.counters()["other"], 1)
        reply = self.ask("GET", "/harbor" + API + "/projects/team-a")
        self.assertEqual(reply.status, 404)
        carol = self.headers("carol")
        reply = self.ask("GET", "/harbor" + API + "/projects/team-a", headers=carol)
        self.assertEqual(reply.status, 403)


class Tls(Case):
    """An authority that signed both sides' certificates."""

    def setUp(self) -> None:
        self.certificates = Path(tempfile.mkdtemp(prefix="berth-tls-"))
        self.addCleanup(shutil.rmtree, self.certificates)
        self.openssl(
            *("req", "-x509", *self.new_key("ca"), "-out", "ca.pem", "-subj", "/CN=ca"),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )
        for name in ("server", "client"):
            (self.certificates / "san").write_text("subjectAltName=IP:127.0.0.1\n")
            self.openssl("req", *self.new_key(name), "-out", f"{name}.csr", "-subj", f"/CN={name}")
            self.openssl(
                *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
                *("-CAcreateserial", "-extfile", "san", "-out", f"{name}.pem"),
            )
        self.options = (
            *("--tls-cert", str(self.certificates / "server.pem")),
            *("--tls-key", str(self.certificates / "server.key")),
            *("--tls-client-ca", str(self.certificates / "ca.pem")),
        )
        super().setUp()

    @staticmethod
    def new_key(name: str) -> tuple[str, ...]:
        return ("-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key")

    def openssl(self, *words: str) -> None:
        subprocess.run(
            ["openssl", *words], cwd=self.certificates, check=True, capture_output=True
        )

    def ask_with(self, with_certificate: bool) -> int:
        context = ssl.create_default_context(cafile=str(self.certificates / "ca.pem"))
        if with_certificate:
            context.load_cert_chain(
                self.certificates / "client.pem", self.certificates / "client.key"
            )
        client = http.client.HTTPSConnection(*self.address, timeout=WAIT_S, context=context)
        status = self.ask("GET", API + "/users/current", connection=client).status
        client.close()
        return status

    def test_https_lets_in_who_has_a_certificate(self) -> None:
        self.assertIn("registry alpha https://", self.sandbox.log.read_text())
        self.assertEqual(self.ask_with(True), 200)
        with self.assertRaises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
            self.ask_with(False)
        # Faults reach below TLS as well.
        self.sandbox.faults(away="reset")
        with self.assertRaises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
            self.ask_with(True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, required=True, help="build folder")
    arguments, others = parser.parse_known_args()
    Case.build = arguments.build
    exit_on_sigterm()
    unittest.main(argv=[sys.argv[0], *others], verbosity=2)


if __name__ == "__main__":
    main()
