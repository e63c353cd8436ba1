# SPDX-License-Identifier: Apache-2.0
"""Redis as people have it: behind TLS that asks for a certificate, on a Unix socket, with few rights, out of
memory, with somebody else's keys. berthd works as far as it can, and what is said names the cause."""

import re
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from run import run_tests
from service import free_port, tail_of
from stage import NO_ANSWER, REFUSED, Worker, wait_until
from workload import StageCase, answers, wait_for_answers

SOON_S = 60
ROOT = Path(__file__).resolve().parents[2]
SPACE_KEY = "berth:v1:space:alpha/tea"
NAME = "redis.example.test"
# An authority, what it signed, and another authority.
MAKE_CERTIFICATES = f"""
new="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
for authority in ours other; do
    openssl req -x509 $new -days 2 -subj /CN=$authority -keyout $authority.key -out $authority.pem
done
for name in {NAME} client; do
    openssl req $new -subj /CN=$name -keyout $name.key -out $name.csr
    echo "subjectAltName=DNS:$name" >$name.ext
    openssl x509 -req -days 2 -in $name.csr -extfile $name.ext -CA ours.pem -CAkey ours.key \\
        -CAcreateserial -out $name.pem
done
"""


class OtherWays(StageCase):
    def setUp(self) -> None:
        super().setUp()
        redis = self.stage.redis
        self.certificates = redis.folder
        subprocess.run(
            ["sh", "-ec", MAKE_CERTIFICATES], cwd=redis.folder, check=True, capture_output=True
        )
        self.tls_address = f"127.0.0.1:{free_port()}"
        self.socket = redis.folder / "redis.sock"
        redis.options = (
            "--tls-port", self.tls_address.split(":")[1], "--tls-ca-cert-file", "ours.pem",
            "--tls-cert-file", f"{NAME}.pem", "--tls-key-file", f"{NAME}.key",
            "--unixsocket", str(self.socket),
        )  # fmt: skip
        redis.restart()

    def tls(self, **changes: str) -> str:
        """The lines of [redis]; an option that is changed to nothing is left out."""
        options = {
            "tls": "yes",
            "ca_file": str(self.certificates / "ours.pem"),
            "client_cert_file": str(self.certificates / "client.pem"),
            "client_key_file": str(self.certificates / "client.key"),
            "server_name": NAME,
        } | changes
        lines = [f"{name} = {value}" for name, value in options.items() if value]
        return "\n".join([f"address = {self.tls_address}", *lines])

    def reach_by(self, configuration: Path, lines: str) -> None:
        text = configuration.read_text()
        plain = f"address = {self.stage.redis.address}"
        self.assertIn(plain, text)
        configuration.write_text(text.replace(plain, lines, 1))

    def assert_works(self, lines: str) -> None:
        worker = Worker(self.stage, "worker-1")
        self.stage.workers.append(worker)
        worker.choose_ports()
        self.reach_by(worker.configuration, lines)
        self.reach_by(self.stage.client_configuration, lines)
        worker.launch()
        wait_until("berthd is ready", worker.ready, SOON_S)
        self.assertEqual(
            self.stage.send("create-space", "-r", "alpha", "-s", "tea", "--private")["code"],
            "space.created",
        )
        self.assertIn("alpha/tea", self.stage.berth("bindings", "-r", "alpha").stdout)
        checked = self.stage.berth("check").stdout
        address = lines.splitlines()[0].removeprefix("address = ")
        self.assertRegex(checked, rf"ok +redis +{address} answers")

    def test_berthd_and_berth_work_by_tls_with_a_certificate(self) -> None:
        self.assert_works(self.tls())

    def test_berthd_and_berth_work_on_a_unix_socket(self) -> None:
        self.assert_works(f"address = {self.socket}")

    def test_each_failure_of_tls_is_told_with_the_address_and_the_cause(self) -> None:
        whole = self.stage.client_configuration.read_text()
        for changes, cause in (
            ({"ca_file": str(self.certificates / "other.pem")}, "its certificate isn't accepted"),
            ({"client_cert_file": "", "client_key_file": ""}, "set client_cert_file"),
            ({"server_name": "other.example.test"}, "hostname mismatch"),
        ):
            with self.subTest(cause):
                self.stage.client_configuration.write_text(whole)
                self.reach_by(self.stage.client_configuration, self.tls(**changes))
                asked = self.stage.berth("bindings", "-r", "alpha", accept=(NO_ANSWER,))
                self.assertIn(f"Redis at {self.tls_address}: TLS: ", asked.stderr)
                self.assertIn(cause, asked.stderr)
                checked = self.stage.berth("check", accept=(REFUSED,)).stdout
                self.assertRegex(checked, rf"problem +redis +{self.tls_address}: TLS: .*{cause}")

    def test_berthd_names_what_it_can_not_reach(self) -> None:
        worker = Worker(self.stage, "worker-1")
        self.stage.workers.append(worker)
        worker.choose_ports()
        self.reach_by(worker.configuration, self.tls(server_name="other.example.test"))
        worker.launch()
        wanted = f'address={self.tls_address} reason="TLS: its certificate isn\'t accepted: hostname'
        wait_until("the reason in the log", lambda: wanted in tail_of(worker.log, 1000), SOON_S)


def readiness(worker: Worker) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{worker.admin_port}/readyz", timeout=5) as said:
            return f"{said.status} {said.read().decode()}"
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode()}"


def metric(worker: Worker, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{worker.admin_port}/metrics", timeout=5) as said:
        found = re.search(rf"^{name} (\S+)$", said.read().decode(), re.MULTILINE)
    assert found is not None, name
    return float(found.group(1))


class Refusals(StageCase):
    partitions = 1

    def checked(self, status: int) -> str:
        return self.stage.berth("check", accept=(status,)).stdout

    def test_a_redis_without_memory_is_not_ready_and_goes_on_when_it_has_some(self) -> None:
        worker = self.stage.add_worker()
        self.stage.redis.ask("CONFIG", "SET", "maxmemory", "1")
        self.stage.send_batch(["create-space -r alpha -s tea --actor e2e --private"])
        wait_until("it is not ready", lambda: readiness(worker).startswith("503"), SOON_S)
        self.assertIn(
            f"redis: {self.stage.redis.address}: it refuses to work: OOM", readiness(worker)
        )
        self.assertEqual(metric(worker, "berth_redis_refuses"), 1)
        self.assertEqual(metric(worker, "berth_redis_up"), 1)
        self.assertRegex(self.checked(REFUSED), r"problem +redis +it refuses .*HSET.*: OOM")
        self.stage.redis.ask("CONFIG", "SET", "maxmemory", "0")
        wait_for_answers(self.stage, 1)
        self.assertEqual(answers(self.stage)[0]["code"], "space.created")
        wait_until("it is ready", worker.ready, SOON_S)
        self.assertEqual(metric(worker, "berth_redis_refuses"), 0)

    def test_a_key_of_another_type_fails_its_command_and_no_other(self) -> None:
        worker = self.stage.add_worker()
        self.stage.redis.ask("SET", SPACE_KEY, "mine")
        result = self.stage.send("create-space", "-r", "alpha", "-s", "tea")
        self.assertEqual((result["outcome"], result["code"]), ("FAILED", "ledger.key_unusable"))
        self.assertIn(SPACE_KEY, result["message"])
        said = tail_of(worker.log, 1000)
        self.assertRegex(said, rf'command.key_refused .*key="{SPACE_KEY}" reason="WRONGTYPE')
        self.assertIn(result["command_id"], said)
        other = self.stage.send("create-space", "-r", "alpha", "-s", "coffee")
        self.assertEqual(other["code"], "space.created")
        self.assertEqual(worker.admin_status("/readyz"), 200)
        self.stage.redis.ask("DEL", SPACE_KEY)
        again = self.stage.send("create-space", "-r", "alpha", "-s", "tea")
        self.assertEqual(again["code"], "space.created")

    def limit(self, configuration: Path, rights: str) -> None:
        """From now on the configuration's user has these rights."""
        self.stage.redis.ask(*rights.replace("PASSWORD", "s3cret").split())
        password = self.stage.folder / "redis-password"
        password.write_text("s3cret")
        password.chmod(0o600)
        text = configuration.read_text()
        lines = f"[redis]\nusername = berth\npassword_file = {password}"
        configuration.write_text(text.replace("[redis]", lines, 1))

    def test_the_rights_of_the_page_are_enough_for_everything(self) -> None:
        page = (ROOT / "docs" / "redis.md").read_text()
        (rights,) = re.findall(r"^ACL SETUSER berth .*$", page, re.MULTILINE)
        worker = Worker(self.stage, "worker-1")
        self.stage.workers.append(worker)
        worker.choose_ports()
        self.limit(worker.configuration, rights)
        self.limit(self.stage.client_configuration, rights)
        worker.launch()
        wait_until("berthd is ready", worker.ready, SOON_S)
        for words, code in (
            (("create-space", "-r", "alpha", "-s", "tea", "--private"), "space.created"),
            (("bind-workspace", "-r", "alpha", "-s", "tea", "-w", "ant"), "workspace.bound"),
            (("update-space", "-r", "alpha", "-s", "tea", "--public"), "space.updated"),
            (("unbind-workspace", "-r", "alpha", "-s", "tea", "-w", "ant"), "workspace.unbound"),
            (("create-space", "-r", "alpha", "-s", "milk"), "space.created"),
            (("delete-space", "-r", "alpha", "-s", "tea"), "space.deleted"),
        ):
            self.assertEqual(self.stage.send(*words)["code"], code)
        self.assertIn("alpha/milk", self.stage.berth("bindings", "-r", "alpha").stdout)
        self.assertRegex(self.checked(0), r"ok +redis +it does every command")
        # A rebuild, too.
        self.stage.redis.ask("FLUSHDB")
        wait_until(
            "the space is there again", lambda: self.stage.spaces_in_redis() == ["milk"], SOON_S
        )
        self.assertNotRegex(tail_of(worker.log, 1000), r"permissions|refuse")

    def test_a_right_that_is_missing_is_named_by_check_and_readiness(self) -> None:
        worker = Worker(self.stage, "worker-1")
        self.stage.workers.append(worker)
        worker.choose_ports()
        self.limit(worker.configuration, "ACL SETUSER berth on >PASSWORD ~* +@all -zadd")
        self.limit(self.stage.client_configuration, "ACL SETUSER berth on")
        worker.launch()
        wait_until("berthd is ready", worker.ready, SOON_S)
        self.assertRegex(
            self.checked(REFUSED), r"problem +redis +it refuses ZADD:.*remedy: .*docs/redis.md"
        )
        self.stage.send_batch(["create-space -r alpha -s tea --actor e2e --private"])
        wait_until("it is not ready", lambda: "(ZADD berth:v1:" in readiness(worker), SOON_S)
        self.stage.redis.ask("ACL", "SETUSER", "berth", "+zadd")
        wait_for_answers(self.stage, 1)
        self.assertEqual(self.stage.spaces_in_redis(), ["tea"])
        self.stage.redis.ask("ACL", "SETUSER", "berth", "-script")
        self.assertRegex(self.checked(REFUSED), r"it refuses the script try: NOPERM.*docs/redis.md")

    def test_check_tries_every_command_that_the_scripts_use(self) -> None:
        scripts = {path.stem: path.read_text() for path in ROOT.glob("src/io/lua/*.lua")}
        tried = set(re.findall(r"^try\('(\w+)'", scripts.pop("try"), re.MULTILINE))
        used = set(re.findall(r"\bcall\('(\w+)'", "".join(scripts.values())))
        self.assertEqual(tried, used)


if __name__ == "__main__":
    run_tests(StageCase)
