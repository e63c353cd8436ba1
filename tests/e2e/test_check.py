# SPDX-License-Identifier: Apache-2.0
"""berth check: what an operator is told before berthd is started, and the remedy."""

import contextlib
import http.server
import json
import subprocess
import threading
import urllib.request
from typing import Any, Iterator

from run import run_tests
from stage import DONE, REFUSED, USAGE, Worker, wait_until
from workload import StageCase

SOON_S = 60
WORSE = ["ok", "not tried", "warning", "problem"]


@contextlib.contextmanager
def in_front_of(harbor: str, redirects: bool) -> Iterator[str]:
    """A front end: it sends everybody to https, or hands on and adds an X-Request-Id of its own."""

    class Front(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            if redirects:
                self.send_response(308)
                self.send_header("Location", "https://harbor.example.com" + self.path)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            request = urllib.request.Request(harbor + self.path)
            for name in ("Authorization", "Accept", "X-Request-Id"):
                if name in self.headers:
                    request.add_header(name, self.headers[name])
            with urllib.request.urlopen(request, timeout=10) as reply:
                body = reply.read()
                self.send_response(reply.status)
                self.send_header("X-Request-Id", "the-front-ends-own")
                for name in ("X-Request-Id", "Content-Type", "Date"):
                    self.send_header(name, reply.headers[name])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Check(StageCase):
    partitions = 1
    checks = 0

    def check(
        self, *words: str, status: int = DONE, changes: tuple[tuple[str, str], ...] = ()
    ) -> list[dict[str, Any]]:
        """What berth check says with a configuration that differs in these texts."""
        self.checks += 1
        worker = Worker(self.stage, f"worker-{self.checks}")
        worker.choose_ports()
        text = worker.configuration.read_text()
        for old, new in changes:
            self.assertIn(old, text)
            text = text.replace(old, new, 1)
        worker.configuration.write_text(text)
        done = subprocess.run(
            [str(self.stage.program("berth")), "-c", str(worker.configuration)]
            + ["check", "--json", *words],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def the(self, lines: list[dict[str, Any]], subject: str, check: str) -> dict[str, Any]:
        """The worst line about this."""
        about = [line for line in lines if (line["subject"], line["check"]) == (subject, check)]
        self.assertTrue(about, f"nothing is said about {check} of {subject}")
        return max(about, key=lambda line: WORSE.index(line["state"]))

    def assert_told(
        self, line: dict[str, Any], state: str, text: str, remedy: str
    ) -> None:
        self.assertEqual(line["state"], state, line)
        self.assertIn(text, line["text"])
        self.assertIn(remedy, line["remedy"])

    def test_where_all_is_well_there_is_no_problem_and_each_thing_has_its_line(self) -> None:
        lines = self.check()
        self.assertFalse([line for line in lines if line["state"] == "problem"])
        for subject, checks in {
            "kafka": ("reachable", "topic", "ahead", "group", "rate", "workers", "read", "publish"),
            "redis": ("reachable", "policy", "persistence", "data_set", "write"),
            "registry alpha": ("reachable", "tls", "clock", "request_id", "version", "read_only")
            + ("identity", "dedicated"),
        }.items():
            for check in checks:
                self.the(lines, subject, check)
        self.assertEqual(self.the(lines, "kafka", "publish")["state"], "not tried")

    def test_publishing_is_tried_in_a_transaction_that_nobody_sees(self) -> None:
        lines = self.check("--transaction")
        self.assertEqual(self.the(lines, "kafka", "publish")["state"], "ok")
        for topic in ("results", "audit", "dlq"):
            seen = self.stage.berth("tail", topic, "--from-beginning", "--until-end", "--json")
            self.assertEqual(seen.stdout, "", topic)

    def test_the_bound_of_settling_out_of_order_is_told_and_warned_of_when_it_is_low(self) -> None:
        # 17,960 offsets ahead, given up after 300 s.
        self.assertIn("up to 59 records a second", self.the(self.check(), "kafka", "ahead")["text"])
        patient = self.check(changes=(("[kafka]", "retry_age_ms = 7200000\n[kafka]"),))
        self.assert_told(self.the(patient, "kafka", "ahead"), "warning", "up to 2 ", "retry_age_ms")

    def test_a_missing_topic_is_a_problem_with_the_command_that_makes_it(self) -> None:
        lines = self.check(status=REFUSED, changes=(("[redis]", "[topics]\naudit = no.audit\n[redis]"),))
        self.assert_told(
            self.the(lines, "kafka", "topic"), "problem", "no.audit is missing", "topics --create"
        )

    def test_a_wrong_password_is_a_problem_of_that_registry_alone(self) -> None:
        wrong = self.stage.folder / "wrong-password"
        wrong.write_text("Not-The-Passw0rd\n")
        wrong.chmod(0o600)
        right = f"password_file = {self.stage.sandbox.password_file}"
        lines = self.check(status=REFUSED, changes=((right, f"password_file = {wrong}"),))
        self.assert_told(
            self.the(lines, "registry alpha", "identity"), "problem", "let berth in", "password_file"
        )
        self.assertEqual(self.the(lines, "registry beta", "identity")["state"], "ok")

    def test_who_logs_in_with_a_mail_address_is_told_what_harbor_calls_him(self) -> None:
        user = self.stage.sandbox.user
        mail = (f"username = {user}\n", f"username = {user}@example.com\n")
        line = self.the(self.check(changes=(mail,)), "registry alpha", "identity")
        self.assertEqual(line["state"], "ok")
        self.assertIn(f"{user}@example.com (to Harbor: {user}) is a system", line["text"])

    def test_a_url_that_is_not_harbors_and_one_where_nobody_listens_are_told_apart(self) -> None:
        admin = self.stage.sandbox.admin_url
        harbor = self.stage.sandbox.url("alpha")
        lines = self.check(status=REFUSED, changes=((harbor, admin),))
        self.assert_told(
            self.the(lines, "registry alpha", "reachable"), "problem", "not as Harbor does", "/api"
        )
        lines = self.check(status=REFUSED, changes=((harbor, "http://127.0.0.1:1"),))
        self.assert_told(
            self.the(lines, "registry alpha", "reachable"), "problem", "127.0.0.1:1", "url"
        )

    def test_a_redirect_is_a_problem_that_names_where_it_leads(self) -> None:
        harbor = self.stage.sandbox.url("alpha")
        with in_front_of(harbor, redirects=True) as url:
            line = self.the(
                self.check(status=REFUSED, changes=((harbor, url),)), "registry alpha", "reachable"
            )
        self.assert_told(line, "problem", "redirects (HTTP 308) to https://harbor.example.com/", "url")

    def test_a_front_end_that_adds_a_request_id_of_its_own_is_fine(self) -> None:
        harbor = self.stage.sandbox.url("alpha")
        with in_front_of(harbor, redirects=False) as url:
            lines = self.check(changes=((harbor, url),))
        self.assertEqual(self.the(lines, "registry alpha", "request_id")["state"], "ok")

    def test_a_group_whose_only_worker_was_killed_is_a_problem_when_there_is_work(self) -> None:
        worker = self.stage.add_worker("only")
        self.assertEqual(self.the(self.check(), "kafka", "workers")["state"], "ok")
        worker.kill()

        def workers(lines: list[dict[str, Any]]) -> dict[str, Any]:
            return self.the(lines, "kafka", "workers")

        wait_until(
            "the session has ended", lambda: workers(self.check())["state"] == "warning", SOON_S
        )
        self.stage.send_batch(["create-space -r alpha -s tea --actor e2e"])
        line = workers(self.check(status=REFUSED))
        self.assert_told(line, "problem", "has 0 members", "start berthd")

    def test_a_registry_in_read_only_mode_is_a_warning(self) -> None:
        self.stage.sandbox.faults("alpha", read_only=True)
        try:
            line = self.the(self.check(), "registry alpha", "read_only")
        finally:
            self.stage.sandbox.faults("alpha")
        self.assert_told(line, "warning", "its commands wait", "read-only mode")

    def test_harbors_first_user_is_not_taken_for_berths_own(self) -> None:
        lines = self.check(status=REFUSED, changes=(("username = berth", "username = admin"),))
        self.assert_told(
            self.the(lines, "registry alpha", "dedicated"), "problem", "first user", "dedicated = no"
        )

    def test_a_redis_that_may_forget_is_a_warning_and_one_that_is_away_a_problem(self) -> None:
        self.stage.redis.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        try:
            line = self.the(self.check(), "redis", "policy")
        finally:
            self.stage.redis.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
        self.assertEqual(line["state"], "warning")
        self.assertIn("noeviction", line["text"])
        lines = self.check(
            status=REFUSED, changes=((self.stage.redis.address, "127.0.0.1:1"),)
        )
        self.assert_told(self.the(lines, "redis", "reachable"), "problem", "127.0.0.1:1", "[redis]")

    def test_people_read_one_line_for_each_thing_with_its_remedy(self) -> None:
        worker = Worker(self.stage, "worker-1")
        worker.choose_ports()
        command = [str(self.stage.program("berth")), "-c", str(worker.configuration), "check"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, DONE, done.stderr)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[-1], r"^\d+ fine, \d+ warnings, 0 problems, \d+ not tried$")
        self.assertRegex(lines[0], r"^ok +kafka +the brokers answer$")
        self.assertTrue(any("; remedy: " in line for line in lines))
        wrong = subprocess.run([*command, "all"], capture_output=True, timeout=60, check=False)
        self.assertEqual(wrong.returncode, USAGE)


if __name__ == "__main__":
    run_tests(Check)
