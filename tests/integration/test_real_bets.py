"""50,000 real bets of 4,147 players, and every player's points and rewards to the cent.

The bets are ../shared/data/bets-2021.csv.gz (not part of the project). They are fed through HTTP in
order, shuffled within the reorder window, three times over, and under kill -9; each time all that
the daemon says must equal what oracle.py works out from the contract alone.
"""

import csv
import dataclasses
import gzip
import random
import threading
import zlib
from decimal import Decimal

import pytest

import rewardd
import rulebook
from oracle import Milestone, Oracle, Rule, seconds

BATCH = 500
POOL = "nov_season"
BUDGETS = {POOL: ("1000000.00", "900000.00")}
NOVEMBER = ("2021-11-01T00:00:00Z", "2021-12-01T00:00:00Z")
ACTIVE = f'active = {{ from = "{NOVEMBER[0]}", to = "{NOVEMBER[1]}" }},'
GEOS, PLATFORMS = ("TR", "BR", "PE", "DE"), ("android", "ios", "web", "web")
KILLS = 60 if rewardd.LONG else 8

# The same three rules twice: in the product's Lua and, below, in Python.
RULES = {
    ("points_winmult", "2.0.0"): rulebook.rule(
        "points_winmult", "2.0.0", active=ACTIVE, where='{ geo = { "TR", "BR", "PE" } }',
        when="event.payload.bet >= 2", score="event.payload.win / event.payload.bet * 3",
        caps={"per_event": 10, "per_minute": 11, "per_day": 40}, guards=rulebook.guards(2),
        milestones=[
            (10, rulebook.freespins(10)),
            (30, 'bonus_cash { amount = "2.00", currency = "EUR", wagering = 15 }'),
            (80, 'loot { rarity = "rare", cost = "3.33", currency = "EUR" }')]),
    ("hourly_stakes", "1.0.0"): rulebook.rule(
        "hourly_stakes", score="math.min(event.payload.bet, 100)", caps={"per_hour": 120},
        guards=rulebook.guards(2),
        milestones=[(100, rulebook.freespins(5)), (1000, rulebook.cash("1.07"))]),
    ("ios_only", "1.0.0"): rulebook.rule(
        "ios_only", where='{ platform = "ios" }', score="5", caps={"per_day": 15},
        guards=rulebook.guards(2),
        milestones=[(20, 'coupon { code = "IOS", cost = "0.50", currency = "EUR" }')]),
}


def the_same_in_python():
    return Oracle([
        Rule("points_winmult", lambda one: one["payload"]["win"] / one["payload"]["bet"] * 3,
             when=lambda one: one["payload"]["bet"] >= 2, active=NOVEMBER, geo=("TR", "BR", "PE"),
             caps={"per_event": 10, "per_minute": 11, "per_day": 40},
             milestones=(Milestone(10, 100), Milestone(30, 200), Milestone(80, 333))),
        Rule("hourly_stakes", lambda one: min(one["payload"]["bet"], 100), caps={"per_hour": 120},
             milestones=(Milestone(100, 50), Milestone(1000, 107))),
        Rule("ios_only", lambda one: 5, platform=("ios",), caps={"per_day": 15},
             milestones=(Milestone(20, 50),)),
    ])


# A fourth rule, which sees each player's bets in the order of their times; ties by id.
IN_EVENT_TIME = {**RULES, ("after_loss", "1.0.0"): rulebook.rule(
    "after_loss", score=None, extra=rulebook.AFTER_LOSS, caps={"per_minute": 30, "per_day": 300},
    guards=rulebook.guards(2), milestones=[(20, rulebook.freespins(3)), (100, rulebook.cash("1.01"))])}


def after_loss():
    """Its score for bets that are fed in that order."""
    lost = {}

    def score(one):
        user, win = one["user"]["id"], one["payload"]["win"]
        before, lost[user] = lost.get(user, False), win == 0
        return min(win, 50) if before else 0
    return Rule("after_loss", score, caps={"per_minute": 30, "per_day": 300},
                milestones=(Milestone(20, 30), Milestone(100, 101)))


def read_bets(path):
    """One event a bet; the win is exact in cents, since stakes are whole and factors have two
    decimals. Geo belongs to the player, platform to the bet, both by a fixed hash."""
    events = []
    with gzip.open(path, "rt", newline="") as file:
        for row in csv.DictReader(file):
            win = Decimal(row["bet"]) * Decimal(row["cashed_out_at"] or 0)
            assert win == round(win, 2)
            one = rewardd.bet(
                row["player"], float(row["bet"]), float(win), ts=row["ts"], event_id=row["bet_id"],
                geo=GEOS[zlib.crc32(row["player"].encode()) % len(GEOS)],
                platform=PLATFORMS[zlib.crc32(row["bet_id"].encode()) % len(PLATFORMS)])
            one["payload"]["game_id"] = f"crash_{row['game_id']}"
            events.append(one)
    return events


@pytest.fixture(scope="module")
def bets(shared_data):
    path = shared_data / "bets-2021.csv.gz"
    if not path.is_file():
        pytest.skip("../shared/data/bets-2021.csv.gz is not there")
    events = read_bets(path)
    assert len(events) == 50000
    return events


@pytest.fixture(scope="module")
def expected(bets):
    return the_same_in_python().feed_all(bets)


@pytest.fixture(scope="module")
def expected_in_event_time(bets):
    oracle = the_same_in_python()
    oracle.rules.append(after_loss())
    return oracle.feed_all(sorted(bets, key=lambda one: (seconds(one["ts"]), one["event_id"])))


def batches(events, size=BATCH):
    return [events[at:at + size] for at in range(0, len(events), size)]


def shuffled(events, seed):
    """Each event comes up to a minute late: nobody is further behind than the reorder window."""
    chance = random.Random(seed)
    return sorted(events, key=lambda one: seconds(one["ts"]) + chance.random() * 59)


def feed(daemon, events):
    """Posts in order; returns (accepted, duplicates). Nothing may be rejected."""
    accepted = duplicates = 0
    for batch in batches(events):
        answer = daemon.post_events(batch, minimal=True)
        assert answer.status == 200, answer
        assert answer.json["rejected"] == 0, answer
        accepted += answer.json["accepted"]
        duplicates += answer.json["duplicates"]
        assert answer.json["accepted"] + answer.json["duplicates"] == len(batch)
    return accepted, duplicates


def compare_players(daemon, expected):
    wrong = []
    for user in expected.players:
        player = daemon.player(user)
        points = {rule: total for rule, total in player["points"].items() if total}
        fired = {rule: sorted(ats) for rule, ats in player["milestones"].items() if ats}
        if (points, fired) != (expected.points(user), expected.milestones(user)):
            wrong.append((user, points, expected.points(user), fired, expected.milestones(user)))
    assert not wrong, f"{len(wrong)} players differ, such as {wrong[0]}"


def compare_tasks(daemon, expected, status):
    # A list waits some seconds for the store; a busy machine may take longer to write this many.
    daemon.wait_for(lambda: len(daemon.tasks()) >= len(expected.task_keys()), 60)
    tasks = daemon.tasks()
    assert len({task["reward_task_id"] for task in tasks}) == len(tasks)
    assert sorted((task["user_id"], task["origin"]["rule_id"], task["origin"]["threshold"],
                   rewardd.cents(task["cost"])) for task in tasks) == expected.task_keys()
    assert {task["status"] for task in tasks} == {status}
    if status == "held":
        assert all("kyc" in task["reason"] for task in tasks)
    return tasks


def compare_budget(daemon, expected, state):
    """All the money of the tasks is in one place: reserved while they wait, then spent."""
    budget = daemon.budget(POOL)
    other = "spent" if state == "reserved" else "reserved"
    assert rewardd.cents(budget[state]) == expected.cost(POOL), budget
    assert rewardd.cents(budget[other]) == 0, budget


def compare_store(daemon, expected, status):
    """The embedded store's own rows, once the daemon has stopped."""
    rows = daemon.rows("tasks")
    assert sorted((row["user_id"], row["rule_id"], row["threshold"], row["cost_minor"])
                  for row in rows) == expected.task_keys()
    assert {row["status"] for row in rows} == {status}
    paid = expected.cost(POOL) if status == "succeeded" else 0
    sums = [row for row in daemon.rows("budgets") if row["pool_id"] == POOL]
    assert sum(row["spent_minor"] for row in sums) == paid
    assert sum(row["reserved_minor"] for row in sums) == expected.cost(POOL) - paid
    assert sum(row["cost_minor"] for row in daemon.rows("ledger")) == paid


def compare(daemon, expected):
    """All three views of the same truth, before and after a restart."""
    compare_players(daemon, expected)
    compare_tasks(daemon, expected, "held")
    compare_budget(daemon, expected, "reserved")
    daemon.stop()
    daemon.ctl("journal", "verify")
    compare_store(daemon, expected, "held")
    daemon.start()
    compare_players(daemon, expected)
    compare_tasks(daemon, expected, "held")
    compare_budget(daemon, expected, "reserved")


@pytest.fixture
def real(make_daemon):
    return make_daemon(rules=RULES, budgets=BUDGETS)


def total(oracle, rule):
    return sum(player.points.get(rule, 0) for player in oracle.players.values())


def test_the_oracle_sees_something(bets, expected):
    """Guards the test itself: each cap clips, milestones fire, `where` refuses, and order does not
    matter."""
    assert len(expected.players) == 4147
    assert 2000 < len(expected.tasks) < 20000
    for number, rule in enumerate(expected.rules):
        for change in [{"caps": {name: cap for name, cap in rule.caps.items() if name != dropped}}
                       for dropped in rule.caps] + [{"geo": (), "platform": (), "when": None}]:
            other = the_same_in_python()
            other.rules = [dataclasses.replace(other.rules[number], **change)]
            other.feed_all(bets)
            if rule.id != "hourly_stakes" or "caps" in change:
                assert total(other, rule.id) > total(expected, rule.id), (rule.id, change)
    again = the_same_in_python().feed_all(shuffled(bets, 1))
    assert again.task_keys() == expected.task_keys()
    assert all(again.points(user) == expected.points(user) for user in expected.players)


def test_in_order(real, bets, expected):
    assert feed(real, bets) == (len(bets), 0)
    compare(real, expected)


@pytest.mark.parametrize("seed", [1, 2] if rewardd.LONG else [1])
def test_shuffled_within_a_minute(real, bets, expected, seed):
    assert feed(real, shuffled(bets, seed)) == (len(bets), 0)
    compare(real, expected)


def test_every_event_three_times(real, bets, expected):
    """Twice in one request and once more in the next one: only the first counts."""
    accepted = duplicates = 0
    for batch in batches(bets):
        for events in (batch + shuffled(batch, 3), batch):
            more = feed(real, events)
            accepted, duplicates = accepted + more[0], duplicates + more[1]
    assert (accepted, duplicates) == (len(bets), 2 * len(bets))
    compare(real, expected)


def test_killed_at_random_moments(real, bets, expected):
    """What was not acknowledged is sent again, as a sender would; nothing counts twice."""
    feed_and_kill(real, bets)
    compare(real, expected)


def feed_and_kill(real, events):
    chance = random.Random(2021)
    work = batches(events)
    fatal = set(chance.sample(range(len(work)), KILLS))
    for number, batch in enumerate(work):
        killer = None
        if number in fatal:
            killer = threading.Timer(chance.random() * 0.02, real.kill9)
            killer.start()
        try:
            answer = real.post_events(batch, minimal=True)
            assert answer.status == 200, answer
            assert answer.json["accepted"] == len(batch), answer
            acknowledged = True
        except rewardd.Gone:
            assert killer is not None
            acknowledged = False
        if killer is not None:
            killer.join()
            real.restart()
            answer = real.post_events(batch, minimal=True)
            assert answer.status == 200, answer
            if acknowledged:
                assert answer.json["duplicates"] == len(batch), "an acknowledged event was lost"
            assert answer.json["accepted"] + answer.json["duplicates"] == len(batch)


@pytest.fixture
def in_event_time(make_daemon):
    return make_daemon(rules=IN_EVENT_TIME, budgets=BUDGETS)


def release_all(daemon, events):
    """A login of every player, well behind all bets: nothing can come before these any more."""
    users = sorted({one["user"]["id"] for one in events})
    assert feed(daemon, [rewardd.event("login", user, {}, ts="2021-12-31T00:00:00Z",
                                       event_id=f"bye_{user}", geo=None, platform=None)
                         for user in users]) == (len(users), 0)
    assert daemon.metric("rewardd_events_waiting") == 0
    assert daemon.metric("rewardd_events_released_total") > 0


def test_event_time_is_another_order(bets, expected_in_event_time):
    """Guards the tests below: in the order of arrival a shuffle would show."""
    assert total(expected_in_event_time, "after_loss") > 1000
    other = Oracle([after_loss()]).feed_all(shuffled(bets, 1))
    assert total(other, "after_loss") != total(expected_in_event_time, "after_loss")


def test_event_time_in_order(in_event_time, bets, expected_in_event_time):
    assert feed(in_event_time, bets) == (len(bets), 0)
    release_all(in_event_time, bets)
    compare(in_event_time, expected_in_event_time)


@pytest.mark.parametrize("seed", [1, 2] if rewardd.LONG else [1])
def test_event_time_shuffled(in_event_time, bets, expected_in_event_time, seed):
    assert feed(in_event_time, shuffled(bets, seed)) == (len(bets), 0)
    release_all(in_event_time, bets)
    compare(in_event_time, expected_in_event_time)


def test_event_time_shuffled_and_killed(in_event_time, bets, expected_in_event_time):
    feed_and_kill(in_event_time, shuffled(bets, 3))
    release_all(in_event_time, bets)
    compare(in_event_time, expected_in_event_time)


def test_paid_when_kyc_arrives(real, wallet, bets, expected):
    """One KYC event a player lifts every hold, and each task reaches the wallet exactly once."""
    feed(real, bets)
    last = {one["user"]["id"]: one for one in sorted(bets, key=lambda one: one["ts"])}
    checks = [rewardd.kyc(user, 2, ts=one["ts"], event_id=f"kyc_{user}", geo=one["user"]["geo"])
              for user, one in last.items()]
    assert feed(real, checks) == (len(checks), 0)
    real.wait_for(lambda: not real.tasks(status="held", limit=1), 60, "all holds to be lifted")
    real.wait_settled(180)
    tasks = compare_tasks(real, expected, "succeeded")
    compare_players(real, expected)
    compare_budget(real, expected, "spent")
    assert wallet.request_count == len(tasks) == len(wallet.payouts())
    assert sum(rewardd.ledger_cents(row) for row in real.ledger()) == expected.cost(POOL)
    rewardd.check_books(real, wallet)
    compare_store(real, expected, "succeeded")
