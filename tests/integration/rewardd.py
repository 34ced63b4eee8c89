"""One real rewardd per test: start it, talk to it, kill it, read its books.

Everything that is a guess about the daemon (configuration keys, file names, SQL, the shape of a
list answer) is in the first part of this file and nowhere else, so that a change of the contract is
a change of one place.
"""

import datetime
import functools
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from decimal import Decimal

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SECRET = "integration-secret-0123456789abcdef"
LONG = os.environ.get("REWARDD_LONG") == "1"
OPEN_STATES = ("pending", "held", "dispatching")
END_STATES = ("succeeded", "failed", "denied", "expired", "cancelled")

# ---------------------------------------------------------------- assumptions about the daemon

CONF = """\
server {{ listen = "127.0.0.1:0" }}
data {{ dir = "{data}" }}
rules {{ dir = "{rules}" }}
journal {{ segment_size_mib = {segment_size_mib} }}
{endpoint}
gates {{ large_reward = "50.00" }}
dispatcher {{
    retry_base_ms = {retry_base_ms}
    retry_max_ms = {retry_max_ms}
    poll_interval_ms = 20
}}
price "freespins" {{ cost = "0.10" currency = "EUR" }}
price "loot" {{ cost = "3.00" currency = "EUR" }}
price "coupon" {{ cost = "0.50" currency = "EUR" }}
{budgets}
{extra}
"""

# Short pauses (here and in dispatcher) keep eight attempts within seconds instead of minutes.
ENDPOINT = """\
endpoint "{name}" {{
    url = "{url}"
    secret = "{secret}"
    secret_next = "{secret_next}"
    signature = "both"
    timeout_ms = {timeout_ms}
    concurrency = {concurrency}
    allow_private = true
    breaker_open_ms = 200
    kinds = {{ {kinds} }}
}}
"""

BUDGET = """\
budget "{pool}" {{
    currency = "EUR"
    period = "season"
    hard_cap = "{hard}"
    soft_cap = "{soft}"
}}
"""

ALL_KINDS = ("points", "cash", "bonus_cash", "freespins", "coupon", "loot", "badge", "notify")
PORT_FILE = "rewardd.port"  # one line "host:port", in data.dir, written when ready

# Tables of the embedded store, known by the columns they must have, whatever they are called.
COLUMNS = {
    "tasks": {"task_id", "user_id", "rule_id", "threshold", "status", "cost_minor", "pool_id"},
    "ledger": {"task_id", "user_id", "pool_id", "cost_minor", "payout_id", "posted_ms"},
    "budgets": {"pool_id", "reserved_minor", "spent_minor"},
}


def database_path(data):
    """The SQLite file of the embedded store, by content rather than by name."""
    for path in sorted(pathlib.Path(data).rglob("*")):
        if path.is_file():
            with open(path, "rb") as file:
                if file.read(15) == b"SQLite format 3":
                    return path
    raise AssertionError(f"no SQLite file in {data}")


def journal_segments(data):
    """The journal's segment files, oldest first: their names are positions in hex."""
    return sorted(pathlib.Path(data).rglob("*.journal"), key=lambda path: path.name)


def letter_id(letter):
    """The id of a dead letter as the API lists it."""
    return next(letter[key] for key in ("dead_letter_id", "letter_id", "id") if key in letter)


def schemas():
    """The registry of event schemas that the product ships, or None while there is none."""
    for folder in (REPOSITORY / "rules" / "schemas", REPOSITORY / "schemas"):
        if folder.is_dir():
            return folder
    return None


def version_of(name):
    """The newest registered version of an event, which its schema's file name is."""
    folder = schemas()
    found = sorted((folder / name).glob("*.json")) if folder else []
    versions = [path.stem for path in found if re.fullmatch(r"\d+\.\d+\.\d+", path.stem)]
    return max(versions, key=lambda text: [int(part) for part in text.split(".")], default="1.2.0")


def cents(value):
    """Minor units of a decimal string, a number, or {"amount", "currency"}; exact or an error."""
    if isinstance(value, dict):
        value = value["amount"]
    minor = Decimal(str(value)) * 100
    assert minor == int(minor), f"{value} is not a whole number of cents"
    return int(minor)


def ledger_cents(row):
    """What a ledger row of the API cost its pool."""
    return cents(row["cost"] if "cost" in row else row["amount"])


def lua_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# ---------------------------------------------------------------- waiting and time


def wait_until(predicate, timeout=15.0, what=None):
    """Blocks until predicate() is true and returns its value; a test never just lets time pass."""
    deadline = time.monotonic() + timeout
    pace, step = threading.Event(), 0.002
    while True:
        value = predicate()
        if value:
            return value
        left = deadline - time.monotonic()
        if left <= 0:
            raise AssertionError(f"not within {timeout} s: {what or predicate}")
        pace.wait(min(step, left))
        step = min(step * 1.5, 0.1)


def rfc3339(when):
    return when.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def noon(days_ago=1, seconds=0):
    """A time that is in the past and far from every bucket's edge but the hour's own."""
    day = datetime.datetime.now(datetime.timezone.utc).replace(
        hour=12, minute=0, second=0, microsecond=0) - datetime.timedelta(days=days_ago)
    return rfc3339(day + datetime.timedelta(seconds=seconds))


def now(seconds=0):
    return rfc3339(datetime.datetime.now(datetime.timezone.utc)
                   + datetime.timedelta(seconds=seconds))


# ---------------------------------------------------------------- events

_serial_lock = threading.Lock()
_serial = [0]


def new_id(prefix="e"):
    with _serial_lock:
        _serial[0] += 1
        return f"{prefix}_{os.getpid()}_{_serial[0]}"


@functools.lru_cache(maxsize=None)
def known_version(name):
    return version_of(name)


def event(name, user, payload, ts=None, event_id=None, geo="TR", platform="android", **more):
    """One event in the envelope of the contract; geo or platform None leaves the field out."""
    block = {"id": user}
    if geo is not None:
        block["geo"] = geo
    if platform is not None:
        block["platform"] = platform
    return {"event_id": event_id or new_id(), "event_name": name, "version": known_version(name),
            "ts": ts or now(), "user": block, "payload": payload, **more}


def bet(user, amount=1.0, win=0, ts=None, event_id=None, **more):
    payload = {"game_id": "slot_wolf", "bet": amount, "win": win, "currency": "EUR",
               "provider": "GameCo"}
    return event("bet", user, payload, ts=ts, event_id=event_id, **more)


def kyc(user, level=2, ts=None, **more):
    return event("kyc_status_changed", user, {"level": level}, ts=ts, **more)


def rg(user, kind, until=None, ts=None, **more):
    return event("rg_event", user, {"type": kind, "until": until}, ts=ts, **more)


def ndjson(events):
    return b"".join(json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in events)


# ---------------------------------------------------------------- binaries


def binary(name="rewardd"):
    """The program under test, or None: REWARDD_BIN_DIR, else ./build-dev, else ./build."""
    chosen = os.environ.get("REWARDD_BIN_DIR")
    folders = [pathlib.Path(chosen)] if chosen else [REPOSITORY / "build-dev", REPOSITORY / "build"]
    for folder in folders:
        path = (folder / name).resolve()
        if os.access(path, os.X_OK):
            return path
    return None


def has_fault_points():
    """Fault points exist in test builds only; the variable's name is then in the binary."""
    path = binary()
    return path is not None and b"REWARDD_FAULT" in path.read_bytes()


@functools.lru_cache(maxsize=None)
def has_thread_sanitizer():
    """./dev test --tsan: a build that is five times as slow, and looks for races."""
    path = binary()
    return path is not None and b"__tsan_init" in path.read_bytes()


# ---------------------------------------------------------------- HTTP


class Answer:
    """What came back, whole."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def retry_after(self):
        return int(self.headers["Retry-After"])

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Gone(Exception):
    """The daemon went away before it answered: nothing is known of what was sent."""


def expect_problem(answer, status, *words):
    """Every error is RFC 9457, whoever caused it."""
    statuses = (status,) if isinstance(status, int) else status
    assert answer.status in statuses, answer
    assert answer.headers["Content-Type"].split(";")[0] == "application/problem+json", answer
    check_problem(answer.json, words)
    assert answer.json["status"] == answer.status
    return answer.json


def check_problem(problem, words=()):
    for key in ("type", "title", "status", "detail"):
        assert key in problem, problem
    for word in words:
        assert word in json.dumps(problem), (word, problem)
    return problem


class Daemon:
    """One rewardd process with a folder of its own. Not started by its constructor."""

    def __init__(self, folder, wallet=None, rules=None, budgets=None, extra="", overrides=(),
                 fault=None, limits=None, data=None, secret=SECRET, secret_next="",
                 timeout_ms=1000, concurrency=8, kinds=ALL_KINDS, retry_base_ms=10,
                 retry_max_ms=200, segment_size_mib=16, url=None):
        self.folder = pathlib.Path(folder)
        self.data = pathlib.Path(data) if data else self.folder / "data"
        self.rules = self.folder / "rules"
        self.conf = self.folder / "engine.conf"
        self.log_path = self.folder / "rewardd.log"
        self.overrides, self.fault, self.limits = list(overrides), fault, limits or {}
        self.process, self.address, self.local = None, None, threading.local()
        self.data.mkdir(parents=True, exist_ok=True)
        self.rules.mkdir(parents=True, exist_ok=True)
        if schemas() == REPOSITORY / "rules" / "schemas":
            shutil.copytree(schemas(), self.rules / "schemas")
        url = url or (wallet.url if wallet else "http://127.0.0.1:9/payouts")
        self.options = dict(name="wallet", url=url, secret=secret, secret_next=secret_next,
                            timeout_ms=timeout_ms, concurrency=concurrency,
                            kinds=", ".join(map(lua_string, kinds)))
        self.retry_base_ms, self.retry_max_ms = retry_base_ms, retry_max_ms
        self.budgets = budgets or {"nov_season": ("100000.00", "90000.00")}
        self.extra, self.segment_size_mib = extra, segment_size_mib
        self.write_conf()
        for (rule_id, version), text in (rules or {}).items():
            self.write_rule(rule_id, version, text)

    # -------- files

    def write_conf(self, **changes):
        self.options.update(changes)
        budgets = "".join(BUDGET.format(pool=pool, hard=hard, soft=soft)
                          for pool, (hard, soft) in self.budgets.items())
        self.conf.write_text(CONF.format(
            data=self.data, rules=self.rules, segment_size_mib=self.segment_size_mib,
            endpoint=ENDPOINT.format(**self.options), budgets=budgets, extra=self.extra,
            retry_base_ms=self.retry_base_ms, retry_max_ms=self.retry_max_ms))

    def write_rule(self, rule_id, version, text, suffix=""):
        """A rule file appears whole or not at all, as an editor or a deployment would do it."""
        folder = self.rules / rule_id
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{version}{suffix}.lua"
        fresh = folder / f".{version}{suffix}.new"
        fresh.write_text(text)
        os.replace(fresh, path)
        return path

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def sanitizer_reports(self):
        """What a sanitizer that is built into the daemon complained of, in all its lives: also of
        one that was killed, whose exit code does not tell."""
        return re.findall(r"^.*(?:ERROR|WARNING): \w+Sanitizer.*(?:\n.*){0,60}"
                          r"|^\S+:\d+:\d+: runtime error: .*", self.log(), re.M)

    def rows(self, what):
        """Rows of the embedded store as dicts; stop the daemon first for a settled picture."""
        database = sqlite3.connect(f"file:{database_path(self.data)}?mode=ro", uri=True, timeout=10)
        try:
            database.row_factory = sqlite3.Row
            names = [row[0] for row in database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
            tables = [name for name in names if COLUMNS[what] <= {
                row["name"] for row in database.execute(f'PRAGMA table_info("{name}")')}]
            assert len(tables) == 1, f"{what}: tables with {sorted(COLUMNS[what])}: {tables}"
            return [dict(row) for row in database.execute(f'SELECT * FROM "{tables[0]}"')]
        finally:
            database.close()

    # -------- life

    def command(self):
        path = binary()
        words = [str(path), "-c", str(self.conf)]
        # Also on a machine of two cores there are to be shards that could race.
        own = has_thread_sanitizer() and "shards" not in self.extra
        for override in ["engine.shards=3"] * own + self.overrides:
            words += ["-D", override]
        if self.limits:
            words = ["prlimit"] + [f"--{name}={value}" for name, value in self.limits.items()] \
                + words
        return words

    def spawn(self):
        """Starts the process and does not wait: for starts that are meant to fail."""
        assert self.process is None or self.process.poll() is not None, "already running"
        (self.data / PORT_FILE).unlink(missing_ok=True)
        environment = {name: value for name, value in os.environ.items()
                       if name != "REWARDD_FAULT"}
        if self.fault:
            environment["REWARDD_FAULT"] = self.fault
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=environment, cwd=self.folder)
        return self

    def start(self, timeout=30.0):
        self.spawn()

        def ready():
            code = self.process.poll()
            assert code is None, f"exit {code} while starting\n{self.log()[-4000:]}"
            try:
                host, port = (self.data / PORT_FILE).read_text().strip().rsplit(":", 1)
                self.address = (host, int(port))
                return self.get("/readyz").status == 200
            except (OSError, ValueError, Gone):
                return False

        wait_until(ready, timeout, "the daemon to be ready")
        return self

    def stop(self, timeout=30.0):
        """SIGTERM drains; anything but exit code 0 is a failure."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout)
        assert code == 0, f"exit {code} after SIGTERM\n{self.log()[-4000:]}"

    def kill9(self):
        self.process.kill()
        return self.process.wait(10)

    def wait_death(self, timeout=60.0):
        return self.process.wait(timeout)

    def restart(self, fault=None):
        """Up again, gently or after whatever ended it; the fault of the last life is gone."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        self.fault = fault
        return self.start()

    def hup(self):
        self.process.send_signal(signal.SIGHUP)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def close(self):
        """The test is over, however it ended; the process must not outlive it."""
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill9()

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def resident_peak_kib(self):
        """The most it ever was in this life of the process."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status).group(1))

    def ctl(self, *words, check=True):
        """rewardctl on this daemon's configuration."""
        path = binary("rewardctl")
        assert path, "rewardctl is not built"
        done = subprocess.run([str(path), "-c", str(self.conf), *map(str, words)],
                              capture_output=True, text=True, timeout=120, cwd=self.folder)
        if check:
            assert done.returncode == 0, f"rewardctl {words}: {done.stdout}{done.stderr}"
        return done

    # -------- HTTP

    def connect(self, timeout=30.0):
        """A bare socket, for requests that http.client would refuse to write."""
        return socket.create_connection(self.address, timeout)

    def request(self, method, path, body=None, headers=None, timeout=60.0):
        """One exchange over this thread's kept connection; Gone when no whole answer came."""
        link = getattr(self.local, "link", None)
        if link is None or (link.host, link.port) != self.address:
            if link is not None:
                link.close()
            link = self.local.link = http.client.HTTPConnection(*self.address, timeout=timeout)
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers = {"Content-Type": "application/json", **(headers or {})}
        for fresh in (False, True):
            kept = link.sock is not None
            try:
                link.request(method, path, body, headers or {})
                answer = link.getresponse()
                return Answer(answer.status, answer.headers, answer.read())
            except (OSError, http.client.HTTPException) as error:
                link.close()
                # An idle connection may have been closed by the other side, which is no news.
                if fresh or not kept or method != "GET":
                    raise Gone(f"{method} {path}: {error!r}") from error
        raise AssertionError("not reached")

    def get(self, path):
        return self.request("GET", path)

    def put(self, path, body):
        return self.request("PUT", path, body)

    def post(self, path, body=None):
        return self.request("POST", path, {} if body is None else body)

    def post_events(self, events, minimal=False, content_type=None):
        """A dict goes as one object, a list as NDJSON, bytes or text as they are."""
        if isinstance(events, dict):
            body, kind = json.dumps(events).encode(), "application/json"
        elif isinstance(events, list):
            body, kind = ndjson(events), "application/x-ndjson"
        else:
            body = events.encode() if isinstance(events, str) else events
            kind = "application/x-ndjson"
        headers = {"Content-Type": content_type or kind}
        if minimal:
            headers["Prefer"] = "return=minimal"
        return self.request("POST", "/v1/events", body, headers)

    def accept(self, *events):
        """Posts events that must all be accepted; returns their results."""
        answer = self.post_events(list(events))
        assert answer.status == 200, answer
        assert answer.json["accepted"] == len(events), answer
        return answer.json["results"]

    def refuse(self, one, *words):
        """Posts one event that must be rejected with a problem holding the words."""
        answer = self.post_events(one if isinstance(one, bytes) else [one])
        assert answer.status == 200, answer
        assert (answer.json["accepted"], answer.json["rejected"]) == (0, 1), answer
        result = answer.json["results"][0]
        assert result["status"] == "rejected"
        return check_problem(result["problem"], words)

    # -------- reading

    def listing(self, path, **query):
        """All items of a list, following its cursors; a cursor that comes twice is a fault."""
        items, seen, cursor = [], set(), None
        while True:
            words = dict(query, **({"cursor": cursor} if cursor else {}))
            text = "&".join(f"{key}={value}" for key, value in words.items() if value is not None)
            answer = self.get(path + ("?" + text if text else ""))
            assert answer.status == 200, answer
            page = answer.json
            items += page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                return items
            assert cursor not in seen, "the cursor goes round in circles"
            seen.add(cursor)

    def player(self, user):
        answer = self.get(f"/v1/players/{user}")
        assert answer.status == 200, answer
        return answer.json

    def points(self, user, rule_id):
        return self.player(user)["points"].get(rule_id, 0)

    def milestones(self, user, rule_id):
        return self.player(user)["milestones"].get(rule_id, [])

    def decision(self, event_id):
        answer = self.get(f"/v1/decisions/{event_id}")
        assert answer.status == 200, answer
        return answer.json

    def tasks(self, **query):
        return self.listing("/v1/reward-tasks", **{"limit": 500, **query})

    def ledger(self, **query):
        return self.listing("/v1/ledger", **{"limit": 500, **query})

    def dead_letters(self, lane, **query):
        return self.listing("/v1/dead-letters", lane=lane, **query)

    def budget(self, pool="nov_season"):
        answer = self.get(f"/v1/budgets/{pool}")
        assert answer.status == 200, answer
        return answer.json

    def metric(self, name):
        """The sum of a Prometheus series over its labels."""
        text = self.get("/metrics").body.decode()
        found = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? ([0-9.e+-]+)$", text, re.M)
        return sum(map(float, found))

    # -------- waiting

    def wait_for(self, predicate, timeout=20.0, what=None):
        """Waits for the predicate and fails at once when the daemon dies meanwhile."""
        def check():
            assert self.alive(), f"exit {self.process.returncode}\n{self.log()[-4000:]}"
            return predicate()
        return wait_until(check, timeout, what)

    def wait_task(self, status, timeout=20.0, **query):
        """The one task of the query, once it is in the status."""
        statuses = (status,) if isinstance(status, str) else status

        def found():
            tasks = self.tasks(**query)
            return len(tasks) == 1 and tasks[0]["status"] in statuses and tasks[0]
        return self.wait_for(found, timeout, f"task {query} to be {status}")

    def wait_settled(self, timeout=60.0):
        """Waits until no task is on its way; held tasks wait for people, not for us. However many
        there are: it fails when for so long not one more was settled."""
        best, since = [float("inf")], [time.monotonic()]

        def settled():
            left = len(self.tasks(status="pending")) + len(self.tasks(status="dispatching"))
            if left < best[0]:
                best[0], since[0] = left, time.monotonic()
            assert time.monotonic() - since[0] < timeout, f"{left} deliveries do not settle"
            return left == 0
        self.wait_for(settled, 30 * timeout, "all deliveries to settle")


# ---------------------------------------------------------------- the books


def keeps_money(task):
    """Open, or failed though a request of it may have been paid."""
    return task["status"] in OPEN_STATES or task["status"] == "failed" and (
        task["reason"] != "partner_refused" or task["attempts"] > 1)


def check_books(daemon, wallet, unsure=(), stop=True):
    """The one truth after any fault: tasks, ledger, budgets, wallet and journal agree to the cent.

    unsure: ids of tasks whose partner may have paid although we had to give up on the answer.
    """
    daemon.wait_settled()
    tasks = daemon.tasks()
    by_id = {task["reward_task_id"]: task for task in tasks}
    assert len(by_id) == len(tasks), "a task is listed twice"
    causes = [(task["user_id"], task["origin"]["rule_id"], task["origin"].get("threshold")
               if task["origin"].get("threshold") is not None else task["origin"]["event_id"])
              for task in tasks]
    assert len(set(causes)) == len(causes), "one cause made two tasks"

    succeeded = {task_id for task_id, task in by_id.items() if task["status"] == "succeeded"}
    payouts = wallet.payouts()
    assert not wallet.bad_signatures, wallet.bad_signatures[:3]
    assert not wallet.conflicts, wallet.conflicts[:3]
    assert set(payouts) <= set(by_id), "the wallet paid what we do not know"
    assert succeeded - set(payouts) == set(), "we booked what the wallet never paid"
    assert set(payouts) - succeeded <= set(unsure), "the wallet paid what we did not book"

    rows = daemon.ledger()
    booked = [row["reward_task_id"] for row in rows]
    assert len(set(booked)) == len(booked), "a task is in the ledger twice"
    assert set(booked) == succeeded
    for row in rows:
        assert ledger_cents(row) == cents(by_id[row["reward_task_id"]]["cost"]), row
    assert sum(ledger_cents(row) for row in rows) == sum(
        cents(by_id[task_id]["cost"]) for task_id in payouts if task_id in succeeded)

    pools = set(daemon.budgets) | {task["pool_id"] for task in tasks if task.get("pool_id")}
    for pool in pools:
        spent = reserved = 0
        for task in tasks:
            if task.get("pool_id") == pool:
                spent += cents(task["cost"]) if task["status"] == "succeeded" else 0
                reserved += cents(task["cost"]) if keeps_money(task) else 0
        budget = daemon.budget(pool)
        assert cents(budget["spent"]) == spent, budget
        assert cents(budget["reserved"]) == reserved, budget
        assert cents(budget["free"]) == cents(budget["hard_cap"]) - spent - reserved, budget
        assert spent + reserved <= cents(budget["hard_cap"]), budget

    if stop:
        daemon.stop()
        daemon.ctl("journal", "verify")
        stored = daemon.rows("tasks")
        assert sorted(row["task_id"] for row in stored) == sorted(by_id)
        for row in stored:
            task = by_id[row["task_id"]]
            assert row["status"] == task["status"], row
            assert row["cost_minor"] == cents(task["cost"]), row
        assert sum(row["cost_minor"] for row in daemon.rows("ledger")) == sum(
            ledger_cents(row) for row in rows)
    return by_id
