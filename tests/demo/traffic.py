#!/usr/bin/env python3
"""Traffic for ./dev demo: some twenty seconds of a busy casino, then what the engine made of it.

    python3 traffic.py --url http://127.0.0.1:8080 [--wallet http://127.0.0.1:9999]
                       [--seconds 20] [--players 2000] [--rate 0] [--token T]

Every player logs in, most of them are verified at KYC level 2 (so that their rewards are really
paid by the sample wallet), they deposit, bet, win, buy; a few exclude themselves. --rate 0 sends as
fast as --connections connections carry it. Ends with exit code 1 when the engine did not keep up
its side: an answer that was not 200, or events neither accepted nor known.
"""

import argparse
import bisect
import datetime
import http.client
import json
import os
import random
import sys
import threading
import time
import urllib.parse

GEOS = ["TR"] * 5 + ["BR"] * 3 + ["PE"] * 2 + ["DE"]
PLATFORMS = ["android"] * 5 + ["ios"] * 3 + ["web"] * 2
GAMES = ["slot_wolf", "slot_ra", "crash_one", "roulette_eu", "blackjack_7"]
BATCH = 50
# What a player does next, by weight; the first events of a player come before any of these.
MIX = [("bet", 78), ("win", 8), ("deposit", 5), ("purchase", 3), ("login", 4), ("session_start", 1),
       ("rg_event", 0.05)]


def percentile(values, share):
    """By nearest rank; 0 for nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


class Link:
    """One kept HTTP connection that speaks JSON."""

    def __init__(self, url, token):
        parts = urllib.parse.urlsplit(url)
        self.http = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=30)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(self, method, path, body=None, headers=None):
        self.http.request(method, path, body, {**self.headers, **(headers or {})})
        answer = self.http.getresponse()
        return answer.status, answer.headers, answer.read()

    def read(self, path):
        """The JSON of a GET, or None where there is nothing to read."""
        status, _, body = self.call("GET", path)
        return json.loads(body) if status == 200 else None

    def listing(self, path, pages_max=200):
        cursor, items = None, []
        for _ in range(pages_max):
            page = self.read(path + (f"&cursor={cursor}" if cursor else ""))
            if page is None:
                break
            items += page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                break
        return items


class Crowd:
    """Makes the events of its own players; belongs to one thread."""

    def __init__(self, number, count, versions, seed):
        self.chance = random.Random(seed * 1000 + number)
        self.run = f"{os.getpid():x}{int(time.time()):x}"
        self.number, self.versions, self.serial = number, versions, 0
        self.users = [f"demo_{number}_{at:04}" for at in range(count)]
        self.profiles = {user: (self.chance.choice(GEOS), self.chance.choice(PLATFORMS))
                         for user in self.users}
        # Some play all night, most look in: the usual long tail.
        self.weights = [1.0 / (at + 1) ** 0.7 for at in range(count)]
        self.sums, total = [], 0.0
        for weight in self.weights:
            total += weight
            self.sums.append(total)
        self.opening = self._opening()
        self.names, self.shares = zip(*MIX)

    def _opening(self):
        """The first acts of every player: a login, for most a verified identity, a deposit."""
        for user in self.users:
            yield self.event(user, "login", {})
            if self.chance.random() < 0.85:
                yield self.event(user, "kyc_status_changed", {"level": 2})
            yield self.event(user, "deposit", {"amount": "50.00", "currency": "EUR"})

    def event(self, user, name, payload):
        self.serial += 1
        geo, platform = self.profiles[user]
        now = datetime.datetime.now(datetime.timezone.utc)
        return {"event_id": f"{self.run}-{self.number}-{self.serial}", "event_name": name,
                "version": self.versions.get(name, "1.2.0"),
                "ts": now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03}Z",
                "user": {"id": user, "geo": geo, "platform": platform, "payer_flag": True},
                "context": {"session_id": f"s_{user}", "device_fp": f"fp_{user}",
                            "ip": "203.0.113.24"},
                "payload": payload}

    def next(self):
        first = next(self.opening, None)
        if first is not None:
            return first
        at = bisect.bisect(self.sums, self.chance.random() * self.sums[-1])
        user = self.users[min(at, len(self.users) - 1)]
        name = self.chance.choices(self.names, self.shares)[0]
        stake = round(self.chance.choice([0.2, 0.5, 1, 2, 5, 10]) * self.chance.randint(1, 4), 2)
        if name in ("bet", "win"):
            factor = self.chance.choice([0, 0, 0, 0.5, 1.2, 2, 3.5, 12])
            payload = {"game_id": self.chance.choice(GAMES), "bet": stake,
                       "win": round(stake * factor, 2), "currency": "EUR", "provider": "GameCo"}
        elif name in ("deposit", "purchase"):
            payload = {"amount": f"{stake * 10:.2f}", "currency": "EUR"}
        elif name == "rg_event":
            payload = {"type": "self_exclusion", "until": None}
        else:
            payload = {}
        return self.event(user, name, payload)

    def batch(self):
        return b"".join(json.dumps(self.next(), separators=(",", ":")).encode() + b"\n"
                        for _ in range(BATCH))


class Traffic:
    """Several connections at once, and what they heard."""

    def __init__(self, options):
        self.options, self.lock, self.stop = options, threading.Lock(), threading.Event()
        self.sent = self.accepted = self.rejected = self.later = 0
        self.latencies, self.failures, self.first_rejected = [], [], None

    def run_one(self, crowd):
        link, pace = Link(self.options.url, self.options.token), threading.Event()
        interval = BATCH * self.options.connections / self.options.rate if self.options.rate else 0
        due = time.monotonic()
        body = None
        try:
            while not self.stop.is_set():
                pace.wait(max(0.0, due - time.monotonic()))
                due += interval
                body = body or crowd.batch()
                started = time.monotonic()
                status, headers, answer = link.call("POST", "/v1/events", body, {
                    "Content-Type": "application/x-ndjson", "Prefer": "return=minimal"})
                taken = time.monotonic() - started
                if status in (429, 503):
                    with self.lock:
                        self.later += 1
                    self.stop.wait(float(headers.get("Retry-After", "1")))
                    continue
                if status != 200:
                    raise RuntimeError(f"{status}: {answer[:300].decode(errors='replace')}")
                counts, body = json.loads(answer), None
                with self.lock:
                    self.sent += BATCH
                    self.accepted += counts["accepted"]
                    self.rejected += counts["rejected"]
                    self.latencies.append(taken)
                    if counts["rejected"] and self.first_rejected is None:
                        self.first_rejected = counts.get("results", ["?"])[0]
        except Exception as failure:  # told at the end; the others go on
            with self.lock:
                self.failures.append(f"{type(failure).__name__}: {failure}")

    def run(self):
        options = self.options
        share = max(1, options.players // options.connections)
        crowds = [Crowd(number, share, event_versions(), options.seed)
                  for number in range(options.connections)]
        threads = [threading.Thread(target=self.run_one, args=(crowd,), daemon=True)
                   for crowd in crowds]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        before, mark, tick = 0, started, threading.Event()
        while (now := time.monotonic()) - started < options.seconds and any(
                thread.is_alive() for thread in threads):
            tick.wait(0.5)
            with self.lock:
                sent, recent = self.sent, self.latencies[-400:]
                line = (f"{sent:>9,} events  {(sent - before) / (time.monotonic() - mark):>8,.0f}/s"
                        f"  accepted {self.accepted:,}  p95 {percentile(recent, .95) * 1e3:.1f} ms")
            before, mark = sent, time.monotonic()
            print("\r" + line.ljust(78), end="" if sys.stdout.isatty() else "\n", flush=True)
        self.stop.set()
        for thread in threads:
            thread.join(35)
        print()
        return time.monotonic() - started


def event_versions():
    """The newest version of each event in the registry beside us, if there is one."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    found = {}
    for folder in (os.path.join(root, "rules", "schemas"), os.path.join(root, "schemas")):
        if os.path.isdir(folder):
            for name in os.listdir(folder):
                path = os.path.join(folder, name)
                files = os.listdir(path) if os.path.isdir(path) else []
                versions = [file[:-5] for file in files if file.endswith(".json")
                            and file[:-5].replace(".", "").isdigit()]
                if versions:
                    found[name] = max(versions, key=lambda one: list(map(int, one.split("."))))
    return found


def bar(share, width=30):
    full = round(max(0.0, min(1.0, share)) * width)
    return "[" + "#" * full + "." * (width - full) + f"] {share * 100:.1f} %"


def counted(rows):
    return "  ".join(f"{name} {count:,}" for name, count in sorted(
        rows.items(), key=lambda pair: -pair[1])) or "none"


def tasks_by_state(link):
    states = {}
    for task in link.listing("/v1/reward-tasks?limit=500"):
        states[task["status"]] = states.get(task["status"], 0) + 1
    return states


def summary(traffic, seconds):
    """What the engine says of itself, read through its API."""
    options = traffic.options
    link = Link(options.url, options.token)
    # The partner is a Python program: give its queue a moment, by looking, not by waiting blindly.
    settle = time.monotonic() + options.settle
    states = tasks_by_state(link)
    while states.get("pending", 0) + states.get("dispatching", 0) and time.monotonic() < settle:
        traffic.stop.clear()
        traffic.stop.wait(0.5)
        states = tasks_by_state(link)
    points = {}
    for number in range(options.connections):
        for at in range(max(1, options.players // options.connections)):
            player = link.read(f"/v1/players/demo_{number}_{at:04}")
            for rule, total in (player or {}).get("points", {}).items():
                points[rule] = points.get(rule, 0) + total
    print(f"events      {traffic.sent:,} sent, {traffic.accepted:,} accepted, "
          f"{traffic.rejected:,} rejected, {traffic.later:,} requests told to come later")
    print(f"speed       {traffic.sent / seconds:,.0f} events/s in requests of {BATCH} over "
          f"{options.connections} connections (this generator is Python; see the load bench)")
    print("latency     " + "  ".join(
        f"p{share * 100:g} {percentile(traffic.latencies, share) * 1e3:.1f} ms"
        for share in (0.5, 0.95, 0.99)))
    print(f"points      {counted(points)}")
    print(f"rewards     {counted(states)}")
    for pool in options.pool:
        budget = link.read(f"/v1/budgets/{pool}")
        if budget:
            spent, reserved, cap = (float(budget[key]) for key in ("spent", "reserved", "hard_cap"))
            print(f"budget      {pool}: {bar((spent + reserved) / cap if cap else 0)}  spent "
                  f"{budget['spent']}, reserved {budget['reserved']} of {budget['hard_cap']} "
                  f"{budget['currency']}")
    if options.wallet:
        report = Link(options.wallet, None).read("/control")
        if report:
            print(f"wallet      paid {report['payouts']:,} rewards to {report['players']:,} players"
                  f" ({counted_text(report['totals'])}) in {report['requests']:,} requests")
    user = "demo_0_0000"
    print("\nlook at")
    for path, what in ((f"/v1/players/{user}", "a player"),
                       (f"/v1/players/{user}/decisions?limit=5", "why it has what it has"),
                       ("/v1/reward-tasks?status=held&limit=5", "rewards that wait, and for what"),
                       ("/v1/ledger?limit=5", "what was paid"), ("/v1/rules", "the rules"),
                       ("/v1/dead-letters?lane=events", "events that were refused"),
                       ("/metrics", "metrics"), ("/openapi.json", "the API")):
        print(f"  {options.url}{path:<44} {what}")


def counted_text(rows):
    return ", ".join(f"{name} {amount}" for name, amount in rows.items()) or "nothing"


def main():
    parser = argparse.ArgumentParser(description="traffic for the demo of rewardd")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--wallet", help="address of the sample wallet, for the summary")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--settle", type=float, default=15, help="wait at most so long for payouts")
    parser.add_argument("--players", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--rate", type=float, default=0, help="events/s; 0: as fast as it goes")
    parser.add_argument("--pool", action="append", help="budgets to show (default nov_season)")
    parser.add_argument("--token")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.pool = options.pool or ["nov_season"]
    options.url = options.url.rstrip("/")
    traffic = Traffic(options)
    seconds = traffic.run()
    for failure in traffic.failures:
        print(f"failure     {failure}")
    if traffic.first_rejected:
        print(f"rejected    the first one: {json.dumps(traffic.first_rejected)[:300]}")
    if traffic.sent == 0:
        return 1
    summary(traffic, seconds)
    return 1 if traffic.failures or traffic.accepted + traffic.rejected != traffic.sent else 0


if __name__ == "__main__":
    sys.exit(main())
