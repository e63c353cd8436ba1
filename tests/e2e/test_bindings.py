# SPDX-License-Identifier: Apache-2.0
"""berth bindings: after real commands, on pages of any number of spaces, and when Redis or Harbor
can't say. Most of it needs no Kafka: the data set is written as docs/redis.md has it."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any, Sequence

from run import run_tests
from services import Redis, Sandbox
from stage import DONE, NO_ANSWER, REFUSED, REGISTRY_UIDS, USAGE
from workload import StageCase

PREFIX = "berth:v1:"
# A page holds at most so many spaces.
PAGE_MAX = 1000

FILL = """
for i = 1, tonumber(ARGV[2]) do
    local name = string.format('alpha/many-%05d', i)
    redis.call('HSET', ARGV[1] .. 'space:' .. name, 'state', 'present', 'version', i, 'project_id',
        i, 'visibility', i % 2 == 0 and 'PUBLIC' or 'PRIVATE', 'quota_bytes', '-1', 'created_by', '',
        'updated_by', '', 'updated_at', '0', 'verified_at', '0', 'token', i)
    redis.call('ZADD', ARGV[1] .. 'registry:alpha', 0, name)
    if i % 2 == 0 then
        redis.call('ZADD', ARGV[1] .. 'registry:alpha:public', 0, name)
    end
end
"""


class AfterCommands(StageCase):
    partitions = 1

    def setUp(self) -> None:
        super().setUp()
        self.stage.add_worker()

    def send(self, command: str, space: str, *options: str, registry: str = "alpha") -> None:
        words = (command, "--registry", registry, "--space", space, *options)
        self.assertEqual(self.stage.send(*words)["outcome"], "SUCCEEDED")

    def test_who_reads_the_toast_finds_it_in_every_list(self) -> None:
        self.send("create-space", "team-a", "--private", "--quota", "10G")
        self.send("create-space", "open", "--public")
        self.send("create-space", "team-b", "--private", registry="beta")
        self.send("bind-workspace", "team-a", "--workspace", "green", "--workspace", "blue")
        self.send("bind-workspace", "team-b", "--workspace", "blue", registry="beta")

        listed = self.stage.berth("bindings", "--registry", "alpha").stdout
        self.assertEqual(
            listed,
            "SPACE         TYPE     WORKSPACE\n"
            "alpha/open    public   No binding\n"
            "alpha/team-a  private  blue, green\n",
        )
        self.assertEqual(self.spaces("-w", "blue"), ["alpha/team-a", "beta/team-b"])
        self.assertEqual(self.spaces("-w", "blue", "-r", "beta"), ["beta/team-b"])
        image = self.spaces("-w", "blue", "--public")
        self.assertEqual(image, ["alpha/open", "alpha/team-a", "beta/team-b"])
        self.assertEqual(self.spaces("-r", "alpha", "--public"), ["alpha/open"])

        said = self.stage.berth("bindings", "-r", "alpha", "-s", "team-a").stdout
        self.assertRegex(said, r"(?m)^space      alpha/team-a\ntype       private$")
        self.assertRegex(said, r"(?m)^quota      10 GiB$")
        self.assertRegex(said, r"(?m)^workspace  blue  robot account \d+\n {11}green  robot")
        one = self.object_of("team-a")
        self.assertEqual(one["workspace_column"], "blue, green")
        self.assertEqual([bound["state"] for bound in one["bindings"]], ["ACTIVE", "ACTIVE"])
        (first, _) = self.lines("-r", "alpha")
        self.assertLessEqual(first.keys(), one.keys(), "a list's lines are as the single one")

        self.send("set-workspace-bindings", "team-a", "--none")
        self.assertEqual(self.spaces("-w", "green"), [])
        self.assertEqual(self.object_of("team-a")["workspace_column"], "No binding")
        self.assertEqual(self.stage.berth("bindings", "-w", "green").stdout, "No binding\n")

    def lines(self, *options: str) -> list[dict[str, Any]]:
        said = self.stage.berth("bindings", "--json", *options).stdout
        return [json.loads(line) for line in said.splitlines()]

    def spaces(self, *options: str) -> list[str]:
        return [f"{one['registry']}/{one['space']}" for one in self.lines(*options)]

    def object_of(self, space: str) -> dict[str, Any]:
        (one,) = self.lines("-r", "alpha", "-s", space)
        return one


class Listed(unittest.TestCase):
    """With a Redis and a Harbor alone."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="berth-bindings-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.redis = Redis(self.folder / "redis")
        self.sandbox = Sandbox(self.folder / "sandbox", StageCase.build.resolve())
        for service in (self.redis, self.sandbox):
            self.addCleanup(service.kill)
            service.begin()
        for service in (self.redis, self.sandbox):
            service.finish()
        self.configuration = self.folder / "berth.conf"
        self.configure()
        self.redis.ask("SET", PREFIX + "epoch", "1763780000000")

    def configure(self, redis: Sequence[str] = (), deployment: str = "deployment = demo") -> None:
        lines = ["[berth]", deployment, "[redis]", f"address = {self.redis.address}", *redis]
        for name, uid in REGISTRY_UIDS.items():
            lines += [f"[registry {name}]", f"uid = {uid}", f"url = {self.sandbox.url(name)}"]
            lines += ["username = berth", f"password_file = {self.sandbox.password_file}"]
        self.configuration.write_text("\n".join(lines) + "\n")

    def put(self, name: str, *workspaces: str, **fields: Any) -> None:
        """A space as berthd stores it; private, unless the fields say otherwise."""
        there = {
            "state": "present", "version": 7, "project_id": 5, "visibility": "PRIVATE",
            "quota_bytes": -1, "created_by": "", "updated_by": "", "updated_at": 1763780000123,
            "verified_at": 0, "token": 7,
        } | fields  # fmt: skip
        words = [str(word) for pair in there.items() for word in pair]
        self.redis.ask("HSET", f"{PREFIX}space:{name}", *words)
        self.redis.ask("ZADD", f"{PREFIX}registry:{name.split('/')[0]}", "0", name)
        if there["visibility"] == "PUBLIC":
            self.redis.ask("ZADD", f"{PREFIX}registry:{name.split('/')[0]}:public", "0", name)
        for number, workspace in enumerate(workspaces, 20):
            key = f"binding:{workspace}"
            self.redis.ask("HSET", f"{PREFIX}space:{name}", key, f"{number} 0badc0de active")
            self.redis.ask("ZADD", f"{PREFIX}workspace:{workspace}", "0", name)

    def run_berth(self, *words: str) -> subprocess.CompletedProcess:
        command = [str(StageCase.build / "bin" / "berth"), "-c", str(self.configuration)]
        return subprocess.run(
            [*command, "bindings", *words], capture_output=True, text=True, timeout=60, check=False
        )

    def said(self, *words: str) -> str:
        done = self.run_berth(*words)
        self.assertEqual((done.returncode, done.stderr), (DONE, ""), done.stdout)
        return done.stdout

    def refused(self, *words: str, status: int) -> str:
        """Why; what is on standard output could be taken for a list that is whole."""
        done = self.run_berth(*words)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        return done.stderr

    def test_every_page_is_walked_and_the_table_stays_aligned(self) -> None:
        count = 2 * PAGE_MAX + 7
        self.redis.ask("EVAL", FILL, "0", PREFIX, str(count))
        self.put("alpha/zz-with-a-longer-name-than-all-before", "blue")
        head, *rows = self.said("-r", "alpha").splitlines()
        self.assertEqual(head, "SPACE             TYPE     WORKSPACE")
        self.assertEqual(len(rows), count + 1)
        self.assertEqual(len({row.split()[0] for row in rows}), count + 1)
        self.assertEqual(rows[0], "alpha/many-00001  private  No binding")
        self.assertEqual(rows[count - 1].split()[0], f"alpha/many-{count:05}")
        last = rows[-1]
        self.assertEqual(last, "alpha/zz-with-a-longer-name-than-all-before  private  blue")
        lines = self.said("-r", "alpha", "--json").splitlines()
        self.assertEqual(len(lines), count + 1)
        public = self.said("-r", "alpha", "--public", "--json").splitlines()
        self.assertEqual(len(public), count // 2)

    def test_a_list_needs_no_account_of_harbors(self) -> None:
        self.put("alpha/team-a", "blue")
        text = self.configuration.read_text()
        gone = str(self.folder / "no-such-file")
        self.configuration.write_text(text.replace(str(self.sandbox.password_file), gone))
        for words in (("-r", "alpha"), ("-w", "blue"), ("-w", "blue", "--public")):
            self.assertIn("alpha/team-a", self.said(*words), words)
        self.assertIn("alpha/team-a", self.said("-r", "alpha", "-s", "team-a"))
        # What Redis doesn't know has to be asked of Harbor.
        self.assertIn(gone, self.refused("-r", "alpha", "-s", "team-b", status=USAGE))

    def test_a_limit_stops_within_a_page_and_beyond_one(self) -> None:
        self.redis.ask("EVAL", FILL, "0", PREFIX, str(PAGE_MAX + 10))
        for limit in (1, 3, PAGE_MAX, PAGE_MAX + 1, PAGE_MAX + 10, PAGE_MAX + 99):
            lines = self.said("-r", "alpha", "--json", "-n", str(limit)).splitlines()
            self.assertEqual(len(lines), min(limit, PAGE_MAX + 10), limit)

    def test_a_list_that_breaks_off_is_told_by_the_exit_status(self) -> None:
        """Pages that were printed before stay printed: whoever goes by them must look at it."""
        self.redis.ask("EVAL", FILL, "0", PREFIX, str(3 * PAGE_MAX))
        command = [StageCase.build / "bin" / "berth", "-c", self.configuration, "bindings", "--json"]
        for break_off, status, why in (
            (lambda: self.redis.ask("DEL", PREFIX + "epoch"), REFUSED, "no whole data set"),
            (self.redis.kill, NO_ANSWER, "is it running"),
        ):
            with self.subTest(why=why):
                self.redis.ask("SET", PREFIX + "epoch", "1763780000000")
                words = [*map(str, command), "-r", "alpha"]
                process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                # A page is more than fits into the pipe: the program waits for us within the first.
                assert process.stdout
                first = os.read(process.stdout.fileno(), 1)
                break_off()
                others, said = process.communicate(timeout=60)
                self.assertEqual(process.returncode, status, said)
                self.assertIn(why, said.decode())
                self.assertEqual(len((first + others).splitlines()), PAGE_MAX)

    def test_whoever_stops_reading_has_seen_enough(self) -> None:
        self.redis.ask("EVAL", FILL, "0", PREFIX, str(5 * PAGE_MAX))
        program = StageCase.build / "bin" / "berth"
        line = f"set -o pipefail; {program} -c {self.configuration} bindings -r alpha | head -n 2"
        done = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False
        )
        self.assertEqual((done.returncode, done.stderr), (DONE, ""))
        self.assertEqual(len(done.stdout.splitlines()), 2)

    def test_a_binding_that_does_not_let_anybody_pull_says_so(self) -> None:
        self.put("alpha/team-a", "blue", "green", "red")
        space = f"{PREFIX}space:alpha/team-a"
        self.redis.ask("HSET", space, "binding:green", "31 0badc0de disabled")
        self.redis.ask("HSET", space, "binding:red", "32 - active")
        row = self.said("-r", "alpha").splitlines()[1]
        self.assertEqual(row, "alpha/team-a  private  blue, green (disabled), red (secret unknown)")
        (one,) = self.said("-r", "alpha", "--json").splitlines()
        states = [bound["state"] for bound in json.loads(one)["bindings"]]
        self.assertEqual(states, ["ACTIVE", "DISABLED", "SECRET_UNKNOWN"])

    def test_many_workspaces_are_shown_in_full(self) -> None:
        names = [f"workspace-{number:03}" for number in range(300)]
        self.put("alpha/team-a", *names)
        row = self.said("-r", "alpha").splitlines()[1]
        self.assertEqual(row.split("  ", 2)[2], ", ".join(names))

    def test_nothing_bound_and_nothing_there_are_no_errors(self) -> None:
        self.assertEqual(self.said("-w", "blue"), "No binding\n")
        self.assertEqual(self.said("-w", "blue", "--json"), "")
        self.assertEqual(self.said("-r", "alpha"), "No spaces\n")
        self.assertEqual(self.said("-r", "alpha", "--json"), "")

    def test_a_space_that_redis_does_not_know_is_read_from_harbor(self) -> None:
        (one,) = self.said("-r", "alpha", "-s", "library", "--json").splitlines()
        self.assertEqual(json.loads(one)["visibility"], "PUBLIC")
        self.assertIsNotNone(json.loads(one)["verified_at"])
        said = self.refused("-r", "alpha", "-s", "nowhere", status=REFUSED)
        self.assertEqual(said, "berth: there is no space alpha/nowhere\n")
        self.sandbox.faults(status=503)
        said = self.refused("-r", "alpha", "-s", "other", status=NO_ANSWER)
        self.assertIn("Redis doesn't know the space, and Harbor doesn't tell: ", said)
        # What Redis knows needs no Harbor.
        self.put("alpha/team-a", "blue")
        self.assertIn("\nworkspace  blue  robot account 20\n", self.said("-r", "alpha", "-s", "team-a"))

    def test_a_data_set_that_is_not_whole_is_no_answer(self) -> None:
        self.put("alpha/team-a", "blue")
        self.redis.ask("DEL", PREFIX + "epoch")
        for words in (("-r", "alpha"), ("-w", "blue"), ("-r", "alpha", "-s", "team-a")):
            with self.subTest(words=words):
                said = self.refused(*words, status=REFUSED)
                self.assertIn("is it the one that berthd uses? If berthd is rebuilding it, try", said)

    def test_a_redis_that_refuses_or_is_away_is_named(self) -> None:
        self.redis.ask("ACL", "SETUSER", "reader", "on", ">sesame", "~*", "+@read")
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text("wrong\n")
        self.configure(redis=["username = reader", f"password_file = {password}"])
        said = self.refused("-r", "alpha", status=REFUSED)
        self.assertIn(f"Redis at {self.redis.address}: it refuses the login", said)
        self.configure(redis=["timeout_ms = 300"])
        self.redis.ask("CLIENT", "PAUSE", "60000")
        said = self.refused("-r", "alpha", status=NO_ANSWER)
        self.assertRegex(said, f"Redis at {self.redis.address}: .*300 ms")
        self.redis.kill()
        said = self.refused("-r", "alpha", status=NO_ANSWER)
        self.assertIn(f"Redis at {self.redis.address}: Connection refused", said)

    def test_what_makes_no_sense_is_wrong_usage(self) -> None:
        for words in (
            (),
            ("--public",),
            ("-s", "team-a"),
            ("-w", "no/slash"),
            ("-r", "gamma"),
            ("-r", "alpha", "-s", "Upper"),
            ("-r", "alpha", "-s", "a" * 191),
            ("-r", "alpha", "-s", "team-a", "-w", "blue"),
            ("-r", "alpha", "-s", "team-a", "--public"),
            ("-r", "alpha", "-n", "0"),
            ("-r", "alpha", "word"),
        ):
            with self.subTest(words=words):
                self.assertNotEqual(self.refused(*words, status=USAGE), "")
        self.configure(deployment="")
        said = self.refused("-r", "alpha", "-s", "team-a", status=USAGE)
        self.assertIn("deployment in [berth] is missing", said)


if __name__ == "__main__":
    run_tests(StageCase)
