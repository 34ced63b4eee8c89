#!/usr/bin/env python3
"""The benchmarks of rewardd, from end to end: called by ./dev bench.

    python3 bench.py [--quick] [--build build] [--list] [name...]

Prints one line of JSON a figure on stdout and what it is doing on stderr, then a table of all:
    {"name", "value", "unit", "reach", "runs", "spread"}
value is the median of the runs, spread their smallest and largest. Every run starts its own daemon
on an empty folder below build/bench, thus on the disk the build is on, and every acknowledged event
is durable: nothing of the daemon's defaults is switched off. Generator and daemon share the machine.
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
RULES = REPOSITORY / "tests" / "bench" / "rules"
SCHEMAS = REPOSITORY / "rules" / "schemas"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
BATCH = 500
HOT_USER = "u_00000000"  # the first of Zipf's law: it has the longest history

CONF = """\
server {{ listen = "127.0.0.1:0" }}
data {{ dir = "{data}" }}
rules {{ dir = "{rules}" }}
schemas {{ {schemas} }}
{engine}
price "freespins" {{ cost = "0.10" currency = "EUR" }}
price "loot" {{ cost = "3.00" currency = "EUR" }}
budget "bench" {{
    currency = "EUR"
    period = "season"
    hard_cap = "1000000000.00"
}}
"""


def say(text):
    print(text, file=sys.stderr, flush=True)


def pause(seconds):
    select.select([], [], [], seconds)


class Failed(Exception):
    """A run that cannot be counted: the daemon died, or an answer was wrong."""


class Daemon:
    """One rewardd on a folder of its own, ended with the with block."""

    def __init__(self, bench, folder, rules=True, **engine):
        self.bench, self.folder = bench, folder
        self.data, self.process, self.port = folder / "data", None, 0
        self.log = folder / "rewardd.log"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        book = RULES
        if not rules:
            book = folder / "rules"
            book.mkdir()
        schemas = f'dir = "{SCHEMAS}"' if SCHEMAS.is_dir() else "allow_unknown = true"
        options = " ".join(f"{key} = {value}" for key, value in engine.items())
        (folder / "engine.conf").write_text(CONF.format(
            data=self.data, rules=book, schemas=schemas,
            engine=f"engine {{ {options} }}" if options else ""))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                self.kill9()
        if not self.bench.keep:
            shutil.rmtree(self.data, ignore_errors=True)

    def start(self):
        """Returns how long it took until it was ready, in seconds."""
        port_file = self.data / "rewardd.port"
        port_file.unlink(missing_ok=True)
        began = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.bench.build / "rewardd", "-c", self.folder / "engine.conf"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while True:
            if self.process.poll() is not None:
                raise Failed(f"rewardd ended with {self.process.returncode} while starting:\n"
                             + self.log.read_text(errors="replace")[-2000:])
            try:
                self.port = int(port_file.read_text().strip().rsplit(":", 1)[1])
                if self.get("/readyz")[0] == 200:
                    return time.monotonic() - began
            except (OSError, IndexError, ValueError, http.client.HTTPException):
                pass
            if time.monotonic() - began > 300:
                raise Failed("rewardd is not ready after 300 s")
            pause(0.002)

    def kill9(self):
        self.process.kill()
        self.process.wait(30)

    def get(self, path):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            link.request("GET", path)
            answer = link.getresponse()
            return answer.status, answer.read()
        finally:
            link.close()

    def post(self, path, body):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            link.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = link.getresponse()
            return answer.status, answer.read()
        finally:
            link.close()

    def load(self, *words):
        """Runs the load generator and returns what it prints; nothing may be refused or broken."""
        command = [self.bench.build / "tests" / "load", "-p", self.port, *words]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                              check=False)
        if self.process.poll() is not None:
            raise Failed("rewardd died under load:\n"
                         + self.log.read_text(errors="replace")[-2000:])
        if done.returncode != 0:
            raise Failed(f"load: {done.stderr}{done.stdout}")
        report = json.loads(done.stdout)
        if report["rejected"] or report["duplicates"]:
            raise Failed(f"events were refused: {done.stdout}")
        return report

    def cpu_s(self, thread=None):
        """User and system time so far, of the process or of one of its threads."""
        folder = pathlib.Path(f"/proc/{self.process.pid}")
        if thread is not None:
            folder = next(task for task in (folder / "task").iterdir()
                          if (task / "comm").read_text().strip() == thread)
        fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def rss_mb(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) * 1024 / 1e6

    def dirty_players(self):
        text = self.get("/metrics")[1].decode()
        return sum(int(count) for count in
                   re.findall(r"^rewardd_players_dirty\{.*\} (\d+)", text, re.MULTILINE))

    def settle(self):
        """Until it has nothing left to do: its CPU time stands still for half a second."""
        deadline = time.monotonic() + 300
        while self.dirty_players() > 0:
            if time.monotonic() > deadline:
                raise Failed("the changed players are not in the store yet")
            pause(0.1)
        before, still_since = self.cpu_s(), time.monotonic()
        while time.monotonic() < deadline:
            pause(0.1)
            now = self.cpu_s()
            # An idle daemon still wakes up for its timers.
            if now - before > 0.02:
                before, still_since = now, time.monotonic()
            elif time.monotonic() - still_since > 0.5:
                return
        raise Failed("rewardd does not come to rest")


class Bench:
    """What all benchmarks share: where things are, how long to measure, and what came of it."""

    def __init__(self, options):
        self.build = pathlib.Path(options.build).resolve()
        self.quick, self.keep = options.quick, options.keep
        self.run_count = 1 if options.quick else 3
        self.seconds = 3 if options.quick else 10
        self.folder = self.build / "bench"
        self.rows = []
        self.single_rate = None
        self.bare_rate = None

    def daemon(self, name, **options):
        return Daemon(self, self.folder / name, **options)

    def size(self, count):
        return count // 20 if self.quick else count

    def report(self, name, runs, unit, reach=None, at_most=False):
        value = statistics.median(runs)
        row = {"name": name, "value": round(value, 3), "unit": unit, "reach": reach,
               "runs": [round(run, 3) for run in runs],
               "spread": f"{min(runs):.6g}..{max(runs):.6g}"}
        print(json.dumps(row), flush=True)
        self.rows.append((row, at_most))

    def runs(self, what, measure):
        """Runs measure() as often as is due and returns its results."""
        results = []
        for number in range(self.run_count):
            say(f"{what}: run {number + 1} of {self.run_count}")
            results.append(measure())
        return results


# ---------------------------------------------------------------- the benchmarks


def ndjson(bench):
    """Batches of 500 events, three rules on bet, 100,000 players by Zipf's law."""
    words = ("-b", BATCH, "-c", 8, "-m", "-u", 100000, "-d", bench.seconds)

    def empty():
        with bench.daemon("ndjson") as daemon:
            return daemon.load(*words)["events_per_s"]

    fresh = bench.runs("ndjson", empty)
    bench.report("ndjson", fresh, "events/s", 350000)
    with bench.daemon("ndjson_full") as daemon:
        count = bench.size(5000000)
        say(f"ndjson_after_5m: loading {count:,} events")
        daemon.load("-b", BATCH, "-c", 8, "-m", "-u", 100000, "-a", 86400, "-n", count)
        full = bench.runs("ndjson_after_5m", lambda: daemon.load(*words)["events_per_s"])
    bench.report("ndjson_after_5m", full, "events/s")
    reference = statistics.median(fresh)
    bench.report("ndjson_after_5m_share", [100 * run / reference for run in full],
                 "% of ndjson", 90)


def machine(bench):
    """What the machine gives by itself, next to what single and half make of it: single posts that a
    bare loop answers unread with the same generator, and for how long its cores stand still."""
    program = bench.build / "tests" / "machine"

    def bare():
        with subprocess.Popen([program, "bare"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as loop:
            port = loop.stdout.readline().strip()
            done = subprocess.run([bench.build / "tests" / "load", "-p", port, "-c", "64", "-m",
                                   "-d", str(bench.seconds)],
                                  capture_output=True, text=True, check=True)
            loop.stdin.close()
        return json.loads(done.stdout)["events_per_s"]

    def stalls():
        done = subprocess.run([program, "stalls", str(bench.seconds)], capture_output=True,
                              text=True, check=True)
        return json.loads(done.stdout)["percent"]

    runs = bench.runs("machine_bare", bare)
    bench.bare_rate = statistics.median(runs)
    bench.report("machine_bare", runs, "acks/s")
    bench.report("machine_stalls", bench.runs("machine_stalls", stalls), "% of the cores' time")


def single_run(bench, *words):
    with bench.daemon("single") as daemon:
        return daemon.load("-c", 64, "-m", "-u", 100000, "-d", bench.seconds, *words)


def single(bench):
    """One event a request, 64 kept connections, closed loop."""
    runs = bench.runs("single", lambda: single_run(bench))
    bench.report("single", [run["events_per_s"] for run in runs], "acks/s", 110000)
    if bench.bare_rate is None:
        machine(bench)
    bench.report("single_share_of_bare", [100 * run["events_per_s"] / bench.bare_rate
                                          for run in runs], "% of machine_bare")
    bench.report("single_p99", [run["latency_us"]["p99"] / 1000 for run in runs], "ms", 4, True)
    bench.single_rate = statistics.median(run["events_per_s"] for run in runs)


def half(bench):
    """The same at half the rate that single reached, open loop: no coordinated omission."""
    if bench.single_rate is None:
        single(bench)
    rate = int(bench.single_rate / 2)
    runs = bench.runs(f"half ({rate:,}/s)", lambda: single_run(bench, "-r", rate))
    bench.report("half_rate", [run["events_per_s"] for run in runs], "acks/s")
    for name, key, reach in (("half_p99", "p99", 2), ("half_p999", "p99.9", 15)):
        bench.report(name, [run["latency_us"][key] / 1000 for run in runs], "ms", reach, True)


def cpu(bench):
    """User and system time for one event that no rule listens to: of the whole daemon but for the
    projector, whose work comes after the ack, and then with it, once all is in the tables."""
    count = bench.size(2000000)

    def measure():
        with bench.daemon("cpu", rules=False) as daemon:
            daemon.settle()
            before, later = daemon.cpu_s(), daemon.cpu_s("projector")
            accepted = daemon.load("-b", BATCH, "-c", 8, "-m", "-u", 100000, "-n", count)["accepted"]
            daemon.settle()
            whole = (daemon.cpu_s() - before) / accepted * 1e6
            return whole - (daemon.cpu_s("projector") - later) / accepted * 1e6, whole

    runs = bench.runs("cpu", measure)
    bench.report("cpu_per_event", [run[0] for run in runs], "us", 3, True)
    bench.report("cpu_per_event_stored", [run[1] for run in runs], "us")


def recovery(bench):
    """kill -9 with a million events in the journal and none of them in the store."""
    count = bench.size(1000000)

    def measure():
        with bench.daemon("recovery", checkpoint_interval_ms=60000) as daemon:
            daemon.load("-b", BATCH, "-c", 8, "-m", "-u", 100000, "-n", count)
            before = json.loads(daemon.get(f"/v1/players/{HOT_USER}")[1])
            daemon.kill9()
            seconds = daemon.start()
            after = json.loads(daemon.get(f"/v1/players/{HOT_USER}")[1])
            if after != before:
                raise Failed(f"a player is not what it was: {before} and {after}")
            return seconds

    bench.report("recovery", bench.runs("recovery", measure), "s", 5, True)


def memory(bench):
    """Resident memory: idle, and with a million players known of whom 100,000 may stay in memory and
    have had twenty events more."""
    def idle():
        with bench.daemon("memory") as daemon:
            daemon.settle()
            return daemon.rss_mb()

    def busy():
        with bench.daemon("memory", hot_player_count_max=100000) as daemon:
            players = bench.size(1000000)
            daemon.load("-b", BATCH, "-c", 8, "-m", "-D", "-u", players, "-n", players)
            # So many, not for so long: each event leaves its fingerprint with its player.
            hot = bench.size(100000)
            daemon.load("-b", BATCH, "-c", 8, "-m", "-u", hot, "-n", 20 * hot)
            largest = daemon.rss_mb()
            daemon.settle()
            return max(largest, daemon.rss_mb())

    bench.report("rss_idle", bench.runs("rss_idle", idle), "MB", 30, True)
    bench.report("rss_1m_players", bench.runs("rss_1m_players", busy), "MB", 400, True)


@contextlib.contextmanager
def switching(daemon, every_s):
    """All rules are switched to another version so often, in a thread of its own."""
    stop, refused = threading.Event(), []

    def switch():
        for number in range(1 << 30):
            files = [{"name": f"{path.parent.name}/1.0.{number % 2}.lua",
                      "source": path.read_text().replace('"1.0.0"', f'"1.0.{number % 2}"')}
                     for path in sorted(RULES.glob("*/1.0.0.lua"))]
            status, text = daemon.post("/v1/deploys", {"files": files})
            if status != 200:
                refused.append(text)
            if stop.wait(every_s):
                return

    thread = threading.Thread(target=switch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if refused:
        raise Failed(f"a deploy was refused: {refused[0]}")


def reload(bench):
    """The load of single with all rules switched every 100 ms, against the same without."""
    words = ("-c", 64, "-m", "-u", 100000, "-d", bench.seconds)

    def measure():
        with bench.daemon("reload") as daemon:
            calm = daemon.load(*words)["latency_us"]
            with switching(daemon, 0.1):
                stirred = daemon.load(*words)["latency_us"]
            return [stirred[key] / calm[key] for key in ("p99", "p99.9")]

    runs = bench.runs("reload", measure)
    bench.report("reload_p99_ratio", [run[0] for run in runs], "x calm", 2, True)
    bench.report("reload_p999_ratio", [run[1] for run in runs], "x calm", 2, True)


def authors(bench):
    """rewardctl rules check and test on a hundred rules with their tests, made from templates."""
    folder = bench.folder / "authors"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree(SCHEMAS, folder / "rules" / "schemas")
    (folder / "engine.conf").write_text(CONF.format(
        data=folder / "data", rules=folder / "rules", schemas="", engine="").replace(
            'budget "bench"', 'budget "nov_season"'))
    templates = sorted(path.stem for path in (REPOSITORY / "scripts" / "templates").glob("*.lua")
                       if not path.stem.endswith("_test") and path.stem != "formula")

    def ctl(*words):
        began = time.monotonic()
        done = subprocess.run([str(bench.build / "rewardctl"), "-c", "engine.conf", "rules", *words],
                              cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"rewardctl rules {words[0]}: {done.stdout[-1000:]}{done.stderr}")
        return time.monotonic() - began

    for number in range(100):
        ctl("new", f"rule{number}", "--template", templates[number % len(templates)])
    for what in ("check", "test"):
        bench.report(f"rules_{what}_100", bench.runs(f"rules {what}", lambda: ctl(what)), "s", 1,
                     True)


def micro(bench, program):
    """A microbenchmark prints JSON lines of its own; the medians of its runs are what counts."""
    found = {}

    def measure():
        done = subprocess.run([str(program)], capture_output=True, text=True, check=False,
                              cwd=bench.folder)
        if done.returncode != 0:
            raise Failed(f"{program.name} ended with {done.returncode}: {done.stderr[-2000:]}")
        for line in done.stdout.splitlines():
            if not line.startswith("{"):
                say(f"  {line}")
                continue
            row = json.loads(line)
            found.setdefault(row["name"], []).append(row)

    bench.runs(program.name, measure)
    for name, rows in found.items():
        bench.report(name, [float(row["value"]) for row in rows], rows[0]["unit"],
                     rows[0].get("reach"), rows[0]["unit"] not in ("1/s", "events/s"))


def programs(bench):
    return sorted(path for path in (bench.build / "tests").glob("bench_*")
                  if path.is_file() and os.access(path, os.X_OK))


def table(bench):
    say("")
    for row, at_most in bench.rows:
        reach, verdict = row["reach"], ""
        if reach is not None:
            met = row["value"] <= reach if at_most else row["value"] >= reach
            sign = "<=" if at_most else ">="
            verdict = f"{sign} {reach:,}  {'reached' if met else 'NOT REACHED'}"
        say(f"{row['name']:<28} {row['value']:>14,.3f} {row['unit']:<14} {verdict}")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description="the benchmarks of rewardd")
    parser.add_argument("--quick", action="store_true", help="one short run each")
    parser.add_argument("--build", default=str(REPOSITORY / "build"))
    parser.add_argument("--keep", action="store_true", help="leave the data folders")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and end")
    parser.add_argument("names", nargs="*", help="only those whose name begins so")
    options = parser.parse_args()
    bench = Bench(options)
    jobs = [(program.name, lambda program=program: micro(bench, program))
            for program in programs(bench)]
    jobs += [(job.__name__, lambda job=job: job(bench))
             for job in (ndjson, machine, single, half, reload, cpu, recovery, memory, authors)]
    if options.list:
        print("\n".join(name for name, _ in jobs))
        return 0
    chosen = [(name, job) for name, job in jobs
              if not options.names or name.startswith(tuple(options.names))
              or name.removeprefix("bench_").startswith(tuple(options.names))]
    if not chosen:
        parser.error(f"no benchmark is named so; there are {', '.join(name for name, _ in jobs)}")
    bench.folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name, job in chosen:
        try:
            job()
        except (Failed, OSError, ValueError, KeyError) as failure:
            failed += 1
            say(f"{name} FAILED: {failure}")
    table(bench)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
