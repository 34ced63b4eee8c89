"""The rules of the house that a machine can check: docs/style.md and docs/architecture.md.

Each test lists every offender at once, as file:line, so that one run is enough to clean up.
"""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
CORE = REPOSITORY / "core"
TESTS = REPOSITORY / "tests"

FLOORS = {"base": 0, "domain": 1, "runtime": 1, "script": 2, "experiment": 2, "journal": 2,
          "store": 2, "transport": 2, "decide": 3, "engine": 4, "edge": 5, "backtest": 5,
          "ctl": 6}

# An outside library is known to one room (a few small ones to several), by header.
HOMES = {
    r"(lua|lauxlib|lualib|luajit)\.h": {"script"},
    r"sqlite3\.h": {"store"},
    r"libpq-fe\.h": {"store"},
    r"event2/.*": {"runtime", "transport"},
    r"curl/.*": {"transport", "ctl"},  # rewardctl asks the daemon, blocking
    r"openssl/.*": {"base"},
    r"(cjson/)?cJSON\.h": {"edge", "ctl", "domain", "transport"},
    r"confuse\.h": {"domain"},
}

# Private headers that share their room's library between the room's own files.
SHARED_INSIDE = {"vm.h", "sqlite.h"}

BANNED_CALLS = r"\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|gets|system|assert)\s*\("
BANNED_NAMES = {"util", "utils", "common", "helper", "helpers", "misc", "types", "globals"}
LINES_MAX = 900

# Writable data that is allowed to be global, with the reason it has to be.
GLOBALS = {
    # libConfuse: its option tables are not const, its error callback has no context (per thread).
    "config.c": {"endpoint_options", "price_options", "budget_options", "parse_error",
                 "parse_path"},
    "fault.c": {"faults", "fault_count", "once", "mutex"},  # test builds: what the test asked for
    "in_flight.c": {"own_cell", "before"},  # what a signal handler can reach
    "log.c": None,       # the log is one of the two places that may lock
    "main.c": None,      # what a signal handler can reach
    "memory.c": None,    # counters of the one place that allocates
}


def tracked(folder, *suffixes):
    """Sources as git sees them, committed or not, without what is ignored."""
    done = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", str(folder)],
                          cwd=REPOSITORY, capture_output=True, text=True, check=False)
    names = done.stdout.split("\n") if done.returncode == 0 else [
        str(path.relative_to(REPOSITORY)) for path in folder.rglob("*")]
    paths = [REPOSITORY / name for name in names if name]
    return sorted(path for path in paths if path.is_file()
                  and (not suffixes or path.suffix in suffixes))


def where(path, number):
    return f"{path.relative_to(REPOSITORY)}:{number}"


def bare(text):
    """C without comments, strings and character literals, line numbers kept."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match):
        found = match.group()
        mark = found[0] * 2 if found[0] in "\"'" else " "
        return mark + "\n" * found.count("\n")
    return pattern.sub(blank, text)


def code_lines():
    """(path, room, line number, line without comments and strings) of all of core/."""
    for path in tracked(CORE, ".c", ".h"):
        room = path.relative_to(CORE).parts[0] if path.parent != CORE else path.name
        for number, line in enumerate(bare(path.read_text()).split("\n"), 1):
            yield path, room, number, line


def includes():
    for path in tracked(CORE, ".c", ".h"):
        room = path.relative_to(CORE).parts[0] if path.parent != CORE else path.name
        for number, line in enumerate(path.read_text().split("\n"), 1):
            found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if found:
                yield path, room, number, found.group(1), found.group(2)


def none(offenders, why):
    assert not offenders, why + "\n  " + "\n  ".join(offenders)


def test_every_room_has_a_floor():
    rooms = {path.relative_to(CORE).parts[0] for path in tracked(CORE, ".c", ".h")
             if path.parent != CORE}
    none(sorted(rooms - set(FLOORS)), "a folder of core/ without a floor:")


def test_includes_point_down():
    offenders = []
    for path, room, number, quote, name in includes():
        target = name.split("/")[0]
        if quote == "<" and target not in FLOORS:
            continue
        if target not in FLOORS or "/" not in name:
            offenders.append(f'{where(path, number)}: "{name}" is not written as room/file.h')
        elif room != target and FLOORS.get(room, 7) <= FLOORS[target]:
            offenders.append(f"{where(path, number)}: {room} includes {name}")
    none(offenders, "includes point down only, and never sideways:")


def test_outside_headers_stay_home():
    offenders = []
    for path, room, number, _, name in includes():
        for pattern, homes in HOMES.items():
            if re.fullmatch(pattern, name) and room not in homes:
                offenders.append(f"{where(path, number)}: {name} belongs to {sorted(homes)}")
    none(offenders, "an outside library is known to its room only:")


def test_headers_do_not_pass_on_libraries():
    offenders = [f"{where(path, number)}: {name}" for path, _, number, _, name in includes()
                 if path.suffix == ".h" and path.name not in SHARED_INSIDE
                 and any(re.fullmatch(pattern, name) for pattern in HOMES)]
    none(offenders, "a header includes no outside library:")


def test_banned_calls():
    offenders = []
    for path, room, number, line in code_lines():
        if re.search(BANNED_CALLS, line):
            offenders.append(f"{where(path, number)}: {line.strip()}")
        if room != "base" and re.search(r"\b(malloc|calloc|realloc|free)\s*\(", line):
            offenders.append(f"{where(path, number)}: memory comes from base/: {line.strip()}")
        if re.search(r"\bvalueint\b", line):
            offenders.append(f"{where(path, number)}: valueint loses digits")
        if room != "script" and re.search(r"\blua_pcall\b", line):
            offenders.append(f"{where(path, number)}: lua_pcall outside script/")
    none(offenders, "banned calls:")


def test_banned_calls_in_c_tests():
    """Tests may allocate, but a habit is a habit."""
    offenders = [f"{where(path, number)}: {line.strip()}"
                 for path in tracked(TESTS, ".c", ".h")
                 for number, line in enumerate(bare(path.read_text()).split("\n"), 1)
                 if re.search(r"\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|gets|system)\s*\(",
                              line)]
    none(offenders, "banned calls:")


def test_formats_of_the_log_are_known():
    """base/log_line reads them itself, to escape what is put in; it knows these and no others."""
    known = re.compile(r"%(?:%|(?:\.(?:\*|\d+))?s|0?\d*(?:l|ll|z)?[dux])")
    offenders = []
    for path in tracked(CORE, ".c", ".h"):
        text = path.read_text()
        for call in re.finditer(r"\brwd_log\((?:\"(?:\\.|[^\"\\])*\"|[^\";])*;", text):
            words = re.sub(r"\bPRI([dux])64\b", r'"l\1"', call.group())
            form = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', words))
            if "%" in known.sub("", form):
                number = text.count("\n", 0, call.start()) + 1
                offenders.append(f"{where(path, number)}: {form}")
    none(offenders, "rwd_log does not know this conversion:")


def test_file_names_say_what_is_inside():
    offenders = [str(path.relative_to(REPOSITORY))
                 for folder in (CORE, TESTS, REPOSITORY / "scripts")
                 for path in tracked(folder, ".c", ".h", ".py", ".lua")
                 if BANNED_NAMES & set(re.split(r"[_.]", path.stem))]
    none(offenders, "a name that says nothing:")


def test_files_are_readable_in_one_sitting():
    offenders = []
    for folder in (CORE, TESTS, REPOSITORY / "scripts"):
        for path in tracked(folder, ".c", ".h", ".py", ".lua"):
            count = path.read_text(errors="replace").count("\n")
            if count > LINES_MAX:
                offenders.append(f"{path.relative_to(REPOSITORY)}: {count} lines")
    none(offenders, f"more than {LINES_MAX} lines:")


def test_no_unfinished_business():
    marks = re.compile(r"\b(" + "TO" + "DO|" + "FIX" + r"ME)\b")  # three X are a currency code here
    offenders = [f"{where(path, number)}: {line.strip()[:80]}"
                 for folder in (CORE, TESTS, REPOSITORY / "scripts", REPOSITORY / "migrations")
                 for path in tracked(folder, ".c", ".h", ".py", ".lua", ".sql")
                 for number, line in enumerate(path.read_text(errors="replace").split("\n"), 1)
                 if marks.search(line)]
    none(offenders, "a mark without a ticket:")


def test_no_sleeping_tests():
    """A test waits for something that happens; time passing is not an event."""
    calls = re.compile(r"\b(time\.sleep|asyncio\.sleep|from time import .*\bsleep|"
                       r"sleep|usleep|nanosleep|clock_nanosleep)\s*\(")
    offenders = []
    for path in tracked(TESTS, ".c", ".h", ".py"):
        if path == pathlib.Path(__file__).resolve():
            continue
        text = path.read_text(errors="replace")
        lines = bare(text) if path.suffix != ".py" else text
        for number, line in enumerate(lines.split("\n"), 1):
            if calls.search(line):
                offenders.append(f"{where(path, number)}: {line.strip()}")
    none(offenders, "a test sleeps:")


def test_no_machine_paths():
    mark = re.compile(r"/(home|work|Users|root)/[a-z]")
    offenders = [f"{where(path, number)}: {line.strip()[:80]}"
                 for folder in (CORE, TESTS, REPOSITORY / "scripts", REPOSITORY / "rules")
                 for path in tracked(folder)
                 if path.suffix in (".c", ".h", ".py", ".lua", ".conf", ".txt", ".json")
                 for number, line in enumerate(path.read_text(errors="replace").split("\n"), 1)
                 if mark.search(line)]
    none(offenders, "a path of one machine:")


def test_headers_explain_themselves():
    """H1: what, why, threads, ownership stand at the top of every header."""
    offenders = []
    for path in tracked(CORE, ".h"):
        text = path.read_text()
        if not text.startswith("/*\n * " + path.stem + ":"):
            offenders.append(f"{where(path, 1)}: begins with '/*\\n * {path.stem}: ...'")
        guard = f"RWD_{path.parent.name.upper()}_{path.stem.upper()}_H"
        if f"#ifndef {guard}\n" not in text:
            offenders.append(f"{where(path, 1)}: guard {guard}")
    none(offenders, "headers:")


def test_clang_format():
    tool = shutil.which("clang-format")
    if tool is None:
        pytest.skip("clang-format is not installed")
    files = tracked(CORE, ".c", ".h") + tracked(TESTS, ".c", ".h")
    if not files:
        pytest.skip("no C files")
    done = subprocess.run([tool, "--dry-run", "-Werror", *map(str, files)], cwd=REPOSITORY,
                          capture_output=True, text=True, check=False)
    offenders = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", done.stderr, re.M)))
    none([os.path.relpath(name, REPOSITORY) for name in offenders], "run clang-format -i on:")


def built_objects():
    """Object files of the rooms in the build that REWARDD_BIN_DIR names, else build-dev, build."""
    chosen = os.environ.get("REWARDD_BIN_DIR")
    for folder in [pathlib.Path(chosen)] if chosen else [REPOSITORY / "build-dev",
                                                         REPOSITORY / "build"]:
        libraries = sorted(folder.glob("librwd_*.a"))
        if libraries:
            return libraries
    return []


def test_no_global_state():
    """nm: letters b, d, c and s of either case are writable data."""
    libraries = built_objects()
    if not libraries or shutil.which("nm") is None:
        pytest.skip("no built rooms (or no nm)")
    offenders = []
    for library in libraries:
        text = subprocess.run(["nm", "-A", str(library)], capture_output=True, text=True,
                              check=False).stdout
        for found in re.finditer(r"^[^:]+:([^:]+)\.o:\S*\s+([bBdDsSC])\s+(\S+)$", text, re.M):
            file, _, symbol = found.groups()
            allowed = GLOBALS.get(file, set())
            name = re.sub(r"\.\d+$", "", symbol)
            # .data.rel.ro shows as d although the linker makes it read-only; sanitizers add theirs.
            if name == "rwd_log_site_here":  # of the log, under its lock: how often a line was printed
                continue
            if allowed is None or name in allowed or re.match(r"(\.|__|_?asan|_?tsan)", name):
                continue
            if in_relro(library, file, symbol):
                continue
            offenders.append(f"{library.name}({file}): {symbol}")
    none(offenders, "writable data outside the short list:")


def in_relro(library, file, symbol):
    """Whether the symbol is in .data.rel.ro: constant, only relocated once at start."""
    text = subprocess.run(["objdump", "-t", str(library)], capture_output=True, text=True,
                          check=False).stdout
    current = None
    for line in text.split("\n"):
        head = re.match(r"(\S+)\.o:\s+file format", line)
        if head:
            current = head.group(1)
        elif current == file and line.split()[-1:] == [symbol]:
            return ".data.rel.ro" in line
    return False
