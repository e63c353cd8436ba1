# SPDX-License-Identifier: Apache-2.0
"""The checks of ./dev lint, one a subcommand. Each prints what is wrong, one finding a line, and
ends with status 1 if there was any; a check that finds nothing to look at is wrong too.

    lint.py format|tidy|layers|purity|sizes|licences|map|man [--root DIR] [--build DIR] [--fix]
"""

import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[2]
CLANG_VERSION = 19

# What each layer may include; itself always. A lower one never includes a higher one.
LAYERS = {
    "base": set(),
    "core": {"base"},
    "codec": {"base", "core"},
    "io": {"base", "core", "codec"},
    "daemon": {"base", "core", "codec", "io"},
    "cli": {"base", "core", "codec", "io"},
    "sandbox": {"base", "codec"},
}

# Our public headers include these and each other: adapters are opaque, so no header of a library
# is needed there, nor one of the system's beyond types.
HEADERS_ALLOWED = {
    "inttypes.h", "limits.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "sys/types.h",
}  # fmt: skip

# The C library as the core knows it: text and bytes.
CORE_MAY_USE = set(
    "memchr memcmp memcpy memmove memset strchr strcmp strcspn strlen strncmp strnlen strrchr "
    "strspn strstr".split()
)
# What the parts of base that the core reaches may use besides: memory for the pool, formatting.
BASE_MAY_USE = CORE_MAY_USE | set("calloc free malloc realloc snprintf vsnprintf".split())
# A failed assertion says so and ends the process: the one place below the core with an effect.
ASSERT_MAY_USE = BASE_MAY_USE | set("abort fflush fprintf fputs stderr".split())
# Put there by the compiler, not by us.
COMPILER_SYMBOLS = re.compile(r"__(asan|ubsan|lsan|tsan|sanitizer|stack_chk|gcov|llvm)|_GLOBAL_OFF")

# Codec turns bytes into structs: no sockets, files, clocks, processes, threads or logs.
CODEC_NEVER_USES = re.compile(
    r"(accept|bind|connect|getaddrinfo|listen|poll|ppoll|recv\w*|select|send\w*|socket\w*"
    r"|close|creat|fclose|fdopen|fopen\w*|fread|fwrite|mmap|open\w*|pread|pwrite|read|write|unlink"
    r"|clock_gettime|gettimeofday|time|nanosleep|sleep|usleep|getenv|getrandom|exec\w*|fork|system"
    r"|pthread_\w+|f?printf|puts|stderr|stdout|avro_file_\w+|json_(load|dump)_file|json_loadf"
    r"|json_dumpf|curl_\w+|rd_kafka_\w+|redis\w+|event_\w+|evhttp_\w+|berth_log\w*)"
)

LINES_MAX = 500
# Files that may be longer, each with its reason.
LONGER_FILES: dict[str, str] = {
    "src/io/config_table.c": "one table, an option a row",
}

SPDX = "SPDX-License-Identifier: Apache-2.0"
SPDX_SUFFIXES = {".c", ".h", ".py", ".cmake", ".lua", ".sh", ".xml", ".service", ".in", ".example",
                 ".bash", ".zshrc", ".1", ".5", ".7", ".8"}  # fmt: skip


def files_below(root: Path, *folders: str) -> Iterator[Path]:
    """All our files, or those of some folders; never what was built."""
    for folder in folders or (".",):
        for where, names, files in os.walk(root / folder):
            hidden = {name for name in names if name.startswith(".") and name != ".ci"}
            left_out = hidden | {"build", "__pycache__"}
            names[:] = sorted(name for name in names if name not in left_out)
            yield from (Path(where) / file for file in sorted(files))


def c_files(root: Path) -> list[Path]:
    found = files_below(root, "include", "src", "tests")
    return [path for path in found if path.suffix in (".c", ".h")]


def clang_tool(name: str) -> str:
    """The tool in the one version that findings are compared by."""
    for candidate in (f"{name}-{CLANG_VERSION}", name):
        program = shutil.which(candidate)
        if program:
            said = subprocess.run([program, "--version"], capture_output=True, check=True)
            if b"version %d." % CLANG_VERSION in said.stdout:
                return program
    sys.exit(f"lint: {name} {CLANG_VERSION} is not installed: ./dev lint installs it")


def check_format(arguments: argparse.Namespace) -> Iterable[str]:
    files = c_files(arguments.root)
    if not files:
        return ["no C files found"]
    mode = ["-i"] if arguments.fix else ["--dry-run", "-Werror"]
    command = [clang_tool("clang-format"), "--style=file", *mode, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return []
    found = [line for line in done.stderr.splitlines() if re.search(r": (error|warning): ", line)]
    return (found or [done.stderr]) + ['"./dev format" repairs this']


class Tidy:
    """clang-tidy over the compilation database. A file that passed isn't looked at again until
    something changes that it is made of: its text, a header, its command or the configuration."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.root = arguments.root
        self.build = arguments.build
        self.program = clang_tool("clang-tidy")
        self.passed = self.build / "tidy-passed"
        self.passed.mkdir(exist_ok=True)
        configuration = [path for path in files_below(self.root) if path.name == ".clang-tidy"]
        self.rules = b"".join(path.read_bytes() for path in configuration)
        self.rules += Path(self.program).resolve().name.encode()

    def entries(self) -> list[dict]:
        database = json.loads((self.build / "compile_commands.json").read_text())
        ours = [str(self.root / folder) + os.sep for folder in ("src", "tests")]
        by_file = {entry["file"]: entry for entry in database}
        return [entry for file, entry in sorted(by_file.items()) if file.startswith(tuple(ours))]

    def state_of(self, entry: dict) -> Path:
        """A name for everything that the findings depend on."""
        words = shlex.split(entry["command"])
        if "-o" in words:
            at = words.index("-o")
            del words[at : at + 2]
        words = [word for word in words if word != "-c"] + ["-E", "-C"]
        done = subprocess.run(words, cwd=entry["directory"], capture_output=True, check=False)
        digest = hashlib.sha256(self.rules + entry["command"].encode() + done.stdout)
        return self.passed / digest.hexdigest()

    def findings(self, entry: dict) -> str:
        state = self.state_of(entry)
        if state.exists():
            return ""
        command = [self.program, "-p", str(self.build), "--quiet", entry["file"]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            state.touch()
            return ""
        return done.stdout or done.stderr

    def run(self) -> Iterator[str]:
        entries = self.entries()
        if not entries:
            yield "compile_commands.json names none of our files"
        with ThreadPoolExecutor(os.cpu_count() or 1) as workers:
            for found in workers.map(self.findings, entries):
                if found:
                    yield found.rstrip()


def check_tidy(arguments: argparse.Namespace) -> Iterable[str]:
    if not (arguments.build / "compile_commands.json").exists():
        return [f"{arguments.build} has no compile_commands.json"]
    return Tidy(arguments).run()


INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def layer_of(path: Path, root: Path) -> str:
    parts = path.relative_to(root).parts
    return parts[2] if parts[0] == "include" else parts[1]


def include_finding(path: Path, layer: str, mark: str, name: str, public: bool) -> str:
    """What is wrong with one #include, or nothing."""
    if name.startswith("berth/"):
        target = name.split("/")[1]
        if target != layer and target not in LAYERS[layer]:
            return f"{layer} includes {name}, which is in a layer that it must not know"
    elif mark == '"' and (public or "/" in name or not (path.parent / name).exists()):
        return f'"{name}" is neither berth/... nor a private header of the same folder'
    elif mark == "<" and public and name not in HEADERS_ALLOWED:
        return f"a public header includes <{name}>"
    return ""


def check_layers(arguments: argparse.Namespace) -> Iterable[str]:
    root = arguments.root
    files = [path for path in files_below(root, "include", "src") if path.suffix in (".c", ".h")]
    if not files:
        yield "no C files found"
    for path in files:
        layer = layer_of(path, root)
        if layer not in LAYERS:
            yield f"{path.relative_to(root)}: no layer is called {layer}"
            continue
        public = path.relative_to(root).parts[0] == "include"
        for mark, name in INCLUDE.findall(path.read_text()):
            finding = include_finding(path, layer, mark, name, public)
            if finding:
                yield f"{path.relative_to(root)}: {finding}"
    yield from link_findings(root)


def link_findings(root: Path) -> Iterator[str]:
    """The link graph follows the same order: what a folder's CMakeLists.txt names."""
    for layer, allowed in LAYERS.items():
        script = root / "src" / layer / "CMakeLists.txt"
        if not script.exists():
            yield f"src/{layer}/CMakeLists.txt is missing"
            continue
        for target in re.findall(r"\bberth_(\w+)\b", script.read_text()):
            if target in LAYERS and target != layer and target not in allowed:
                yield f"src/{layer}/CMakeLists.txt: {layer} links berth_{target}"


class Library:
    """A static library as nm sees it: by member, what it defines and what it asks for."""

    def __init__(self, build: Path, layer: str) -> None:
        found = sorted(build.rglob(f"libberth_{layer}.a"))
        if len(found) != 1:
            sys.exit(f"lint: {len(found)} files libberth_{layer}.a below {build}, not one")
        command = ["nm", "-A", "--format=posix", str(found[0])]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        self.home: dict[str, str] = {}
        self.asks: dict[str, set[str]] = {}
        for member, symbol, kind in re.findall(r"\[(.+?)\]: (\S+) (\w)", said):
            asked = self.asks.setdefault(member, set())
            if kind in "Uwv":
                asked.add(symbol)
            else:
                self.home[symbol] = member
        if not self.asks:
            sys.exit(f"lint: {found[0]} has no members")

    def foreign(self, member: str) -> list[str]:
        """What a member asks for that neither the library nor the compiler gives."""
        asked = self.asks[member] - self.home.keys()
        return sorted(symbol for symbol in asked if not COMPILER_SYMBOLS.match(symbol))


def check_purity(arguments: argparse.Namespace) -> Iterable[str]:
    base = Library(arguments.build, "base")
    core = Library(arguments.build, "core")
    reached: dict[str, str] = {}
    for member in core.asks:
        for symbol in core.foreign(member):
            if symbol in base.home:
                reached.setdefault(base.home[symbol], f"core's {member} uses {symbol}")
            elif symbol not in CORE_MAY_USE:
                yield f"core: {member} uses {symbol}, which isn't one of libc's string functions"
    yield from base_findings(base, reached)
    codec = Library(arguments.build, "codec")
    for member in codec.asks:
        for symbol in codec.foreign(member):
            if CODEC_NEVER_USES.fullmatch(symbol):
                yield f"codec: {member} uses {symbol}"


def base_findings(base: Library, reached: dict[str, str]) -> Iterator[str]:
    """Follows the core into base: what it reaches there, at any distance, must be pure as well."""
    waiting = list(reached)
    while waiting:
        member = waiting.pop()
        if member.startswith("log"):
            yield f"core reaches base's {member}: {reached[member]}; the core never logs"
        may_use = ASSERT_MAY_USE if member.startswith("assert.") else BASE_MAY_USE
        for symbol in base.asks[member] & base.home.keys():
            if base.home[symbol] not in reached:
                reached[base.home[symbol]] = f"base's {member} uses {symbol}"
                waiting.append(base.home[symbol])
        for symbol in base.foreign(member):
            if symbol not in may_use:
                yield f"core reaches {symbol} in base's {member}: {reached[member]}"


def check_sizes(arguments: argparse.Namespace) -> Iterable[str]:
    found = files_below(arguments.root, "include", "src", "tests")
    files = [path for path in found if path.suffix in (".c", ".h", ".py")]
    if not files:
        yield "no files found"
    for path in files:
        name = str(path.relative_to(arguments.root))
        lines = len(path.read_text().splitlines())
        if lines > LINES_MAX and name not in LONGER_FILES:
            yield f"{name}: {lines} lines, more than {LINES_MAX}"
    for name in LONGER_FILES:
        if arguments.root == ROOT and not (ROOT / name).exists():
            yield f"{name} is listed as a longer file, and isn't there"


def has_shebang(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == b"#!"


def check_licences(arguments: argparse.Namespace) -> Iterable[str]:
    files = []
    for path in files_below(arguments.root):
        named = path.suffix in SPDX_SUFFIXES or path.name == "CMakeLists.txt"
        if named or has_shebang(path):
            files.append(path)
    if not files:
        yield "no files found"
    for path in files:
        # The first line, or the one below "#!" or "<?xml".
        first = path.read_text().splitlines()[:2]
        if not any(SPDX in line for line in first):
            yield f'{path.relative_to(arguments.root)}: does not begin with "{SPDX}"'


def check_map(arguments: argparse.Namespace) -> Iterable[str]:
    """docs/architecture.md names every source file's job, and no file that isn't there."""
    page = arguments.root / "docs" / "architecture.md"
    if not page.exists():
        yield "docs/architecture.md: isn't there"
        return
    # The first column of the tables below "Every file's job", by the folder of their heading.
    mapped: set[str] = set()
    folder = ""
    for line in page.read_text().splitlines():
        if line.startswith("#"):
            folder = line.removeprefix("### ") if line.startswith("### ") else ""
        elif line.startswith("| ") and folder in LAYERS:
            cell = line.split("|")[1]
            mapped |= {f"{folder}/{name.strip()}" for name in cell.split(",")}
    mapped -= {f"{layer}/file" for layer in LAYERS} | {f"{layer}/---" for layer in LAYERS}
    there: set[str] = set()
    for top in ("src", "include/berth"):
        for path in files_below(arguments.root, top):
            if path.suffix in (".c", ".h", ".lua", ".cmake"):
                there.add(str(path.relative_to(arguments.root / top)))
    if not there:
        yield "no files found"
    yield from (f"docs/architecture.md: {name} isn't named" for name in sorted(there - mapped))
    yield from (f"docs/architecture.md: {name} isn't there" for name in sorted(mapped - there))


def check_man(arguments: argparse.Namespace) -> Iterable[str]:
    """mandoc finds nothing to warn of in the manual pages."""
    pages = sorted((arguments.root / "docs" / "man").glob("*.[1-9]"))
    if not pages:
        return ["docs/man: no manual pages found"]
    program = shutil.which("mandoc") or sys.exit("lint: mandoc isn't there: ./dev lint installs it")
    command = [program, "-T", "lint", "-W", "warning", *map(str, pages)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = (done.stdout + done.stderr).splitlines()
    return found or ([f"mandoc ends with {done.returncode}"] if done.returncode != 0 else [])


CHECKS = {
    "format": check_format,
    "tidy": check_tidy,
    "layers": check_layers,
    "purity": check_purity,
    "sizes": check_sizes,
    "licences": check_licences,
    "map": check_map,
    "man": check_man,
}


def main() -> int:
    parser = argparse.ArgumentParser(description="one of the checks of ./dev lint")
    parser.add_argument("check", choices=CHECKS)
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree to look at")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "dev", help="build folder")
    parser.add_argument("--fix", action="store_true", help="format: repair instead of report")
    arguments = parser.parse_args()
    arguments.root = arguments.root.resolve()
    arguments.build = arguments.build.resolve()
    findings = list(CHECKS[arguments.check](arguments))
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
