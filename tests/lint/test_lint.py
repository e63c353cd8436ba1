# SPDX-License-Identifier: Apache-2.0
"""Every check of lint.py is made to fail once: a gate that can't fail guards nothing. Each case
is a small tree that passes, and then one change that must be found."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

LINT = Path(__file__).with_name("lint.py")
ROOT = LINT.parents[2]
TAG = "/* SPDX-License-Identifier: Apache-2.0 */\n"
SCRIPT_TAG = "# SPDX-License-Identifier: Apache-2.0\n"

GOOD_CORE = (
    TAG
    + '#include "berth/core/lane.h"\n\n#include <string.h>\n\n'
    + "int berth_lane_length(const char *name) {\n"
    + "    return (int)strlen(name) + berth_bytes_count(name);\n"
    + "}\n"
)
GOOD_BASE = (
    TAG
    + '#include "berth/base/bytes.h"\n\n'
    + "int berth_bytes_count(const char *name) {\n    return name[0] != 0;\n}\n"
)
NULL_DEREFERENCE = GOOD_CORE.replace(
    "    return", "    if (name == 0) {\n        return *name;\n    }\n    return"
)
GOOD_TREE = {
    "include/berth/base/bytes.h": TAG + "int berth_bytes_count(const char *name);\n",
    "include/berth/core/lane.h": (
        TAG + '#include "berth/base/bytes.h"\n\nint berth_lane_length(const char *name);\n'
    ),
    "src/base/bytes.c": GOOD_BASE,
    "src/core/lane.c": GOOD_CORE,
    "src/codec/frame.c": TAG + "int berth_frame(int size);\n\nint berth_frame(int size) {\n"
    "    return size + 1;\n}\n",
    "dev": "#!/bin/sh\n" + SCRIPT_TAG,
    ".clang-format": (ROOT / ".clang-format").read_text(),
    ".clang-tidy": (ROOT / ".clang-tidy").read_text(),
}
for layer, depends in {
    "base": "", "core": "berth_base", "codec": "berth_core", "io": "berth_codec",
    "daemon": "berth_io", "cli": "berth_io", "sandbox": "berth_codec",
}.items():  # fmt: skip
    GOOD_TREE[f"src/{layer}/CMakeLists.txt"] = SCRIPT_TAG + f"berth_library({layer} {depends})\n"


class LintCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="berth-lint-")
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name) / "tree"
        self.build = self.root / "build"
        for name, text in GOOD_TREE.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def compile(self) -> None:
        """Builds the libraries and the compilation database that a build folder would hold."""
        self.build.mkdir(exist_ok=True)
        database = []
        for layer in ("base", "core", "codec"):
            objects = []
            for source in sorted((self.root / "src" / layer).glob("*.c")):
                built = self.build / f"{layer}-objects" / f"{source.name}.o"
                built.parent.mkdir(exist_ok=True)
                command = ["cc", "-fno-builtin", "-I", str(self.root / "include"), "-c"]
                command += [str(source), "-o", str(built)]
                subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
                objects.append(str(built))
                entry = {"directory": str(self.build), "file": str(source)}
                database.append(entry | {"command": " ".join(command)})
            library = self.build / f"libberth_{layer}.a"
            library.unlink(missing_ok=True)
            subprocess.run(["ar", "cr", str(library), *objects], check=True)
        (self.build / "compile_commands.json").write_text(json.dumps(database))

    def lint(self, check: str, *more: str) -> tuple[int, str]:
        command = [sys.executable, str(LINT), check, "--root", str(self.root)]
        command += ["--build", str(self.build), *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def assert_passes(self, check: str) -> None:
        status, said = self.lint(check)
        self.assertEqual((status, said), (0, ""))

    def assert_finds(self, check: str, text: str) -> None:
        status, said = self.lint(check)
        self.assertEqual(status, 1, said)
        self.assertIn(text, said)

    def empty(self) -> None:
        """A tree without a single file of ours."""
        self.root = self.root / "nothing"
        self.root.mkdir()


class Format(LintCase):
    def test_wrong_indentation_is_found_and_repaired(self) -> None:
        self.assert_passes("format")
        self.write("src/core/lane.c", GOOD_CORE.replace("    return", "  return"))
        self.assert_finds("format", "src/core/lane.c:6")
        self.assertEqual(self.lint("format", "--fix")[0], 0)
        self.assert_passes("format")

    def test_a_tree_without_c_files_is_an_error(self) -> None:
        self.empty()
        self.assert_finds("format", "no C files found")


class Tidy(LintCase):
    def test_a_bug_is_found_after_the_file_had_passed(self) -> None:
        self.compile()
        self.assert_passes("tidy")
        self.write("src/core/lane.c", NULL_DEREFERENCE)
        self.assert_finds("tidy", "clang-analyzer-core.NullDereference")

    def test_a_finding_is_reported_at_every_run(self) -> None:
        self.write("src/core/lane.c", NULL_DEREFERENCE)
        self.compile()
        self.assert_finds("tidy", "clang-analyzer-core.NullDereference")
        self.assert_finds("tidy", "clang-analyzer-core.NullDereference")

    def test_a_changed_header_is_looked_at_again(self) -> None:
        self.compile()
        self.assert_passes("tidy")
        good = GOOD_TREE["include/berth/core/lane.h"]
        self.write("include/berth/core/lane.h", good.replace("*name", "*other"))
        self.assert_finds("tidy", "inconsistent-declaration-parameter-name")

    def test_a_function_that_is_too_long_is_found(self) -> None:
        self.write("src/core/lane.c", GOOD_CORE.replace("{\n", "{\n" + "\n" * 70))
        self.compile()
        self.assert_finds("tidy", "readability-function-size")

    def test_an_empty_file_list_is_an_error(self) -> None:
        self.build.mkdir()
        self.assert_finds("tidy", "no compile_commands.json")
        (self.build / "compile_commands.json").write_text("[]")
        self.assert_finds("tidy", "names none of our files")


class Layers(LintCase):
    def test_the_order_of_layers_is_accepted(self) -> None:
        self.assert_passes("layers")

    def test_core_may_not_include_codec(self) -> None:
        self.write("src/core/lane.c", TAG + '#include "berth/codec/frame.h"\n')
        self.assert_finds("layers", "src/core/lane.c: core includes berth/codec/frame.h")

    def test_no_header_may_include_a_higher_layer(self) -> None:
        self.write("include/berth/base/bytes.h", TAG + '# include "berth/core/lane.h"\n')
        self.assert_finds("layers", "base includes berth/core/lane.h")

    def test_cli_may_not_include_the_daemon(self) -> None:
        self.write("src/cli/send.c", TAG + '#include "berth/daemon/loop.h"\n')
        self.assert_finds("layers", "cli includes berth/daemon/loop.h")

    def test_a_public_header_may_not_include_a_library(self) -> None:
        self.write("include/berth/core/lane.h", TAG + "#include <jansson.h>\n")
        self.assert_finds("layers", "a public header includes <jansson.h>")

    def test_a_private_header_of_another_folder_may_not_be_reached(self) -> None:
        self.write("src/core/lane.c", TAG + '#include "../codec/private.h"\n')
        self.assert_finds("layers", "neither berth/... nor a private header")

    def test_a_library_may_not_link_a_higher_one(self) -> None:
        self.write("src/core/CMakeLists.txt", "berth_library(core DEPENDS berth_codec)\n")
        self.assert_finds("layers", "core links berth_codec")

    def test_an_unknown_folder_is_an_error(self) -> None:
        self.write("src/util/misc.c", TAG)
        self.assert_finds("layers", "no layer is called util")

    def test_a_tree_without_c_files_is_an_error(self) -> None:
        self.empty()
        self.assert_finds("layers", "no C files found")


class Purity(LintCase):
    def test_string_functions_and_pure_helpers_are_accepted(self) -> None:
        self.compile()
        self.assert_passes("purity")

    def test_a_clock_in_the_core_is_found(self) -> None:
        clock = "#include <time.h>\nlong now(void);\nlong now(void) {\n    return time(0);\n}\n"
        self.write("src/core/lane.c", GOOD_CORE + clock)
        self.compile()
        self.assert_finds("purity", "core: lane.c.o uses time")

    def test_a_file_behind_a_helper_in_base_is_found(self) -> None:
        self.write("src/base/bytes.c", GOOD_BASE.replace("name[0] != 0", "berth_deep(name)"))
        deep = "#include <unistd.h>\nint berth_deep(const char *name) {\n    return chdir(name);\n}"
        self.write("src/base/deep.c", TAG + deep)
        self.compile()
        self.assert_finds("purity", "core reaches chdir in base's deep.c.o")

    def test_a_log_line_in_the_core_is_found(self) -> None:
        self.write("src/core/lane.c", GOOD_CORE.replace("berth_bytes_count", "berth_log"))
        self.write("src/base/log.c", TAG + "int berth_log(const char *s) {\n    return !s;\n}\n")
        self.compile()
        self.assert_finds("purity", "the core never logs")

    def test_codec_in_the_core_is_found(self) -> None:
        self.write("src/core/lane.c", GOOD_CORE.replace("berth_bytes_count", "berth_frame"))
        self.compile()
        self.assert_finds("purity", "core: lane.c.o uses berth_frame")

    def test_a_file_in_the_codec_is_found(self) -> None:
        opens = TAG + '#include <fcntl.h>\nint f(void) {\n    return open("x", 0);\n}\n'
        self.write("src/codec/frame.c", opens)
        self.compile()
        self.assert_finds("purity", "codec: frame.c.o uses open")

    def test_a_missing_library_is_an_error(self) -> None:
        self.compile()
        (self.build / "libberth_core.a").unlink()
        self.assert_finds("purity", "0 files libberth_core.a")


class Sizes(LintCase):
    def test_five_hundred_lines_are_accepted_and_one_more_is_found(self) -> None:
        self.write("src/core/lane.c", "\n" * 500)
        self.assert_passes("sizes")
        self.write("src/core/lane.c", "\n" * 501)
        self.assert_finds("sizes", "src/core/lane.c: 501 lines")

    def test_a_tree_without_files_is_an_error(self) -> None:
        self.empty()
        self.assert_finds("sizes", "no files found")


class Licences(LintCase):
    def test_a_source_without_the_tag_is_found(self) -> None:
        self.assert_passes("licences")
        self.write("src/core/lane.c", "int lane;\n")
        self.assert_finds("licences", "src/core/lane.c: does not begin")

    def test_a_program_without_the_tag_is_found(self) -> None:
        self.write("dev", "#!/bin/sh\ntrue\n")
        self.assert_finds("licences", "dev: does not begin")

    def test_a_tree_without_files_is_an_error(self) -> None:
        self.empty()
        self.assert_finds("licences", "no files found")


class Map(LintCase):
    def test_a_file_that_the_map_does_not_name_is_found(self) -> None:
        self.empty()
        self.write("src/core/lane.c", "int lane;\n")
        self.write("docs/architecture.md", "### core\n\n| file | job |\n| --- | --- |\n")
        self.assert_finds("map", "core/lane.c isn't named")
        self.write("docs/architecture.md", "### core\n\n| file | job |\n| lane.c | turns |\n")
        self.assert_passes("map")

    def test_a_file_that_is_not_there_any_more_is_found(self) -> None:
        self.empty()
        self.write("src/core/lane.c", "int lane;\n")
        self.write("docs/architecture.md", "### core\n\n| lane.c, gone.c | turns |\n")
        self.assert_finds("map", "core/gone.c isn't there")


GOOD_PAGE = """.Dd November 22, 2026
.Dt BERTH 1
.Os
.Sh NAME
.Nm berth
.Nd a page
.Sh DESCRIPTION
Text.
"""


class Man(LintCase):
    def test_a_macro_that_is_none_is_found(self) -> None:
        self.write("docs/man/berth.1", GOOD_PAGE)
        self.assert_passes("man")
        self.write("docs/man/berth.1", GOOD_PAGE + ".Xx\n")
        self.assert_finds("man", "berth.1:9:2: ERROR: skipping unknown macro: .Xx")

    def test_a_list_that_is_not_closed_is_found(self) -> None:
        self.write("docs/man/berth.1", GOOD_PAGE + ".Bl -tag -width Ds\n.It a\ntext\n")
        self.assert_finds("man", "berth.1:9:2: ERROR: appending missing end of block: Bl")

    def test_a_warning_is_enough(self) -> None:
        self.write("docs/man/berth.1", GOOD_PAGE.replace("Text.", ".Pp"))
        self.assert_finds("man", "WARNING: skipping paragraph macro: Pp")

    def test_a_tree_without_pages_is_an_error(self) -> None:
        self.assert_finds("man", "no manual pages found")


if __name__ == "__main__":
    unittest.main()
