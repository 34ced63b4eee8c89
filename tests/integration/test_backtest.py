"""A backtest over the journal of a live daemon gives what the daemon itself gave, to the cent."""

import json
import random
import re

import pytest

import rewardd
import rulebook
from rewardd import cents, noon

ONE_SHARD = "engine { shards = 1 }"
CAPPED = ("capped", "1.0.0")
BOOK = {
    **rulebook.PAYS_OFTEN,
    ("formulas/times", "1.0.0"): rulebook.formula("times", "return a * b"),
    CAPPED: rulebook.rule("capped", score="times(event.payload.bet, 3)",
                          head='local times = formula "times@1.0.0"',
                          caps={"per_event": 12, "per_minute": 30, "per_day": 60},
                          milestones=[(25, rulebook.freespins(7)), (50, 'badge { name = "b" }')],
                          guards=rulebook.guards(kyc=1)),
    ("streak", "1.0.0"): rulebook.rule(
        "streak", grant="state.bets = state.bets + 1\n"
        "    if state.bets % 5 == 0 then return " + rulebook.cash("1.25") + " end",
        guards=rulebook.guards(), extra="state = { bets = 0 },"),
}


def backtest(daemon, *words, threads=1, **more):
    done = daemon.ctl("rules", "backtest", *words, "--json", "--threads", threads, **more)
    return json.loads(done.stdout)


def on_any_threads(daemon, *words):
    """The result, which must not depend on how many threads made it."""
    texts = [daemon.ctl("rules", "backtest", *words, "--json", "--threads", threads).stdout
             for threads in (1, 2, 3)]
    assert texts[0] == texts[1] == texts[2]
    return json.loads(texts[0])


def used(side, pool="nov_season"):
    return {row["period"]: (cents(row["reserved"]), cents(row["spent"]))
            for row in side["periods"] if row["pool_id"] == pool}


def some_lives(seed, users, events_each):
    """Bets among KYC changes, exclusions and their end."""
    chance, lives = random.Random(seed), []
    for at in range(events_each):
        for user in range(users):
            when = noon(2, at * 20 + user)
            name = f"u{user}"
            kind = chance.random()
            if kind < 0.06:
                lives.append(rewardd.kyc(name, chance.randint(0, 3), ts=when))
            elif kind < 0.09:
                lives.append(rewardd.rg(name, chance.choice(["self_exclusion", "lifted"]), ts=when))
            else:
                lives.append(rewardd.bet(name, chance.randint(1, 9), ts=when))
    return lives


def expect_the_same(daemon, rule_id, result, users):
    """One rule's points by player, rewards, money by state, from the daemon's own books."""
    side = result["sides"][0]
    told = {row["user_id"]: row["sides"][0] for row in result["top_winners"]}
    tasks = [task for task in daemon.tasks() if task["origin"]["rule_id"] == rule_id]
    for user in users:
        points = daemon.get(f"/v1/players/{user}").json["points"].get(rule_id, 0)
        assert told.get(user, {"points": 0})["points"] == points, (rule_id, user)
        given = [task for task in tasks if task["user_id"] == user and task["status"] != "denied"]
        assert told.get(user, {"rewards": 0})["rewards"] == len(given), (rule_id, user)
    assert side["rewards"] == len(tasks)
    assert sum(side["statuses"].values()) == len(tasks)
    assert cents(side["cost"]) == sum(cents(task["cost"]) for task in tasks
                                      if task["status"] != "denied")
    return tasks


def test_a_journal_gives_what_the_daemon_gave(make_daemon):
    daemon = make_daemon(rules=BOOK)
    lives = some_lives(1, users=10, events_each=60)
    for at in range(0, len(lives), 25):
        daemon.accept(*lives[at:at + 25])
    daemon.wait_settled()
    budget = daemon.budget()
    users = [f"u{number}" for number in range(10)]
    for rule_id in ("often", "capped", "streak"):
        result = on_any_threads(daemon, f"{rule_id}@1.0.0", "--from", "journal")
        assert result["events"] == len(lives) and result["other_rules"] == 2
        tasks = expect_the_same(daemon, rule_id, result, users)
        assert tasks, "the test is to have rewards"
        assert used(result["sides"][0]) == {"season": (cents(budget["reserved"]),
                                                       cents(budget["spent"]))}
    assert result["task_commands"] > 0 and result["task_commands_unmatched"] == 0
    assert cents(budget["reserved"]) > 0 and cents(budget["spent"]) > 0


def test_a_cap_is_met_by_the_same_event(make_daemon):
    """One shard has the journal's order: who comes too late is the same player."""
    daemon = make_daemon(rules=BOOK, extra=ONE_SHARD, budgets={"nov_season": ("20.00", "20.00")})
    lives = some_lives(2, users=10, events_each=40)
    daemon.accept(*[rewardd.kyc(f"u{user}", 2, ts=noon(3)) for user in range(10)])
    for at in range(0, len(lives), 10):
        daemon.accept(*lives[at:at + 10])
    daemon.wait_settled()
    budget = daemon.budget()
    order = {one["event_id"]: at for at, one in enumerate(lives)}
    denied = [task for task in daemon.tasks(status="denied") if "budget" in task["reason"]]
    first = min(denied, key=lambda task: order[task["origin"]["event_id"]])
    for rule_id in ("often", "capped", "streak"):
        result = on_any_threads(daemon, f"{rule_id}@1.0.0", "--from", "journal")
        side = result["sides"][0]
        breach = side["pools"][0]["first_hard_breach"]
        assert breach["event_id"] == first["origin"]["event_id"]
        assert breach["user_id"] == first["user_id"]
        assert used(side) == {"season": (cents(budget["reserved"]), cents(budget["spent"]))}
        expect_the_same(daemon, rule_id, result, [f"u{user}" for user in range(10)])


def test_a_budget_has_the_caps_of_its_time(make_daemon):
    """Raised, lowered and made anew in the middle of history: a backtest gives at each time what
    the daemon gave, whatever engine.conf says by now."""
    book = {**BOOK, ("later", "1.0.0"): rulebook.rule(
        "later", grant="return " + rulebook.freespins(2), guards=rulebook.guards(kyc=0, pool="summer"))}
    daemon = make_daemon(rules=book, extra=ONE_SHARD, budgets={"nov_season": ("20.00", "20.00")})
    lives = some_lives(5, users=10, events_each=60)
    users = [f"u{user}" for user in range(10)]
    daemon.accept(*[rewardd.kyc(user, 2, ts=noon(3)) for user in users])

    def put(pool, cap):
        answer = daemon.put(f"/v1/budgets/{pool}", {
            "currency": "EUR", "period": "season", "hard_cap": cap, "soft_cap": cap})
        assert answer.status in (200, 201), answer
    changes = {150: ("nov_season", "60.00"), 300: ("summer", "3.00"), 450: ("nov_season", "5.00")}
    for at in range(0, len(lives), 10):
        if at in changes:
            put(*changes[at])
            if changes[at][0] == "summer":
                daemon.wait_for(lambda: daemon.get("/v1/rules/later").status == 200)
        daemon.accept(*lives[at:at + 10])
    daemon.wait_settled()
    budget, summer = daemon.budget(), daemon.budget("summer")
    assert cents(budget["spent"]) + cents(budget["reserved"]) > 2000, "the raise is used"
    assert cents(summer["spent"]) + cents(summer["reserved"]) == 300, "the new one is used up"
    daemon.stop()
    conf = daemon.conf.read_text()
    assert conf.count('"20.00"') == 2
    daemon.conf.write_text(conf.replace('"20.00"', '"99000.00"'))
    results = {rule_id: on_any_threads(daemon, f"{rule_id}@1.0.0", "--from", "journal")
               for rule_id in ("often", "capped", "streak")}
    daemon.restart()
    for rule_id, result in results.items():
        assert used(result["sides"][0])["season"] == (cents(budget["reserved"]),
                                                      cents(budget["spent"]))
        pools = {pool["pool_id"]: pool["hard_cap"] for pool in result["sides"][0]["pools"]}
        assert pools == {"nov_season": "5.00", "summer": "3.00"}
        expect_the_same(daemon, rule_id, result, users)
    # Which of two currencies is meant nobody can tell.
    daemon.stop()
    daemon.conf.write_text(conf.replace('currency = "EUR"\n    period',
                                        'currency = "USD"\n    period'))
    done = daemon.ctl("rules", "backtest", "often@1.0.0", "--from", "journal", check=False)
    assert done.returncode == 1 and "nov_season" in done.stderr, done.stderr


def test_rules_in_event_time_give_what_they_gave(make_daemon):
    """Bets that come out of order, of players who fall silent now and then: what waited is decided
    by order, by time and, of a player with too many, early; each time where it was."""
    book = {**BOOK, ("after_loss", "1.0.0"): rulebook.rule(
        "after_loss", score=None, extra=rulebook.AFTER_LOSS, caps={"per_minute": 20},
        milestones=[(at, rulebook.cash("1.10")) for at in range(10, 100, 10)],
        guards=rulebook.guards(1))}
    daemon = make_daemon(rules=book, extra=ONE_SHARD + " ingest { reorder_window_s = 3 }\n",
                         overrides=["engine.waiting_event_count_max=6"],
                         budgets={"nov_season": ("60.00", "60.00")})
    chance, lives = random.Random(5), []
    for at in range(150):
        for user in range(8):
            when, name = noon(2, at + chance.random() * 3), f"u{user}"
            if chance.random() < 0.05:
                lives.append(rewardd.kyc(name, chance.randint(0, 3), ts=when))
            else:
                lives.append(rewardd.bet(name, 1, win=chance.choice([0, 0, 3, 8]), ts=when))
    lives += [rewardd.bet("u0", 1, win=at % 2 * 9, ts=noon(2, 200 + at / 100)) for at in range(40)]
    for at in range(0, len(lives), 25):
        daemon.accept(*lives[at:at + 25])
        if at % 400 == 0:
            daemon.wait_for(lambda: daemon.metric("rewardd_events_waiting") == 0)
    daemon.wait_for(lambda: daemon.metric("rewardd_events_waiting") == 0)
    page = daemon.get("/metrics").body.decode()
    for cause in ("order", "time", "full"):
        assert int(re.search(rf'released_total{{cause="{cause}"}} (\d+)', page)[1]) > 0, cause
    daemon.wait_settled()
    budget = daemon.budget()
    for rule_id in ("often", "after_loss"):
        result = on_any_threads(daemon, f"{rule_id}@1.0.0", "--from", "journal")
        assert result["events"] == len(lives)
        assert used(result["sides"][0]) == {"season": (cents(budget["reserved"]),
                                                       cents(budget["spent"]))}
        tasks = expect_the_same(daemon, rule_id, result, [f"u{user}" for user in range(8)])
        assert any("budget" in task["reason"] for task in tasks), "the cap is to be met"


def test_what_people_decided_is_carried_out(make_daemon):
    """A large reward above the soft cap is held; one is rejected, one approved."""
    large = {("large", "1.0.0"): rulebook.rule(
        "large", milestones=[(10, rulebook.cash("60.00"))], guards=rulebook.guards())}
    daemon = make_daemon(rules=large, extra=ONE_SHARD, budgets={"nov_season": ("500.00", "50.00")})
    for user in ("a", "b", "c"):
        daemon.accept(rewardd.kyc(user, 2, ts=noon(1)), rewardd.bet(user, 10, ts=noon(1, 1)))
    held = {task["user_id"]: task["reward_task_id"] for task in daemon.tasks(status="held")}
    assert set(held) == {"a", "b", "c"}
    for user, verb in (("a", "reject"), ("b", "approve")):
        answer = daemon.post(f"/v1/reward-tasks/{held[user]}/{verb}", {"reason": "looked at"})
        assert answer.status == 200, answer
    rewardd.wait_until(lambda: len(daemon.tasks(status="succeeded")) == 1)
    budget = daemon.budget()
    side = on_any_threads(daemon, "large@1.0.0", "--from", "journal")["sides"][0]
    assert used(side) == {"season": (6000, 6000)}
    assert used(side) == {"season": (cents(budget["reserved"]), cents(budget["spent"]))}
    assert side["statuses"] == {"held": 3} and side["pools"][0]["first_soft_breach"]["user_id"] == "a"
    assert sum(cents(day["given_back"]) for day in side["pool_days"]) == 6000


@pytest.fixture
def bets(daemon):
    """A file of two days of bets of three players, and the daemon whose rules count them."""
    lives = [rewardd.bet(f"p{user}", amount, ts=noon(days, user))
             for days, amount in ((3, 2), (2, 5)) for user in range(3)]
    path = daemon.folder / "bets.ndjson"
    path.write_bytes(rewardd.ndjson(lives) + b"\n" + rewardd.ndjson(lives[:2]))
    return path


def test_a_file_of_lines(daemon, bets):
    result = on_any_threads(daemon, "stakes@1.0.0", "--from", bets)
    assert (result["events"], result["duplicates"], result["players"]) == (6, 2, 3)
    side = result["sides"][0]
    assert (side["points"], side["rewards"], side["verdicts"]) == (21, 0, {"fired": 6})
    assert [(day["events"], day["points"]) for day in side["days"]] == [(3, 6), (3, 15)]
    assert side["points_per_player"]["most"] == 7
    assert sum(bar["players"] for bar in side["points_per_player"]["bars"]) == 3
    assert (result["winners"], result["losers"], result["same"]) == (3, 0, 0)


def test_a_range(daemon, bets):
    middle = noon(3, 3600)
    late = backtest(daemon, "stakes@1.0.0", "--from", bets, "--since", middle)
    assert (late["events"], late["events_before"], late["sides"][0]["points"]) == (3, 3, 15)
    early = backtest(daemon, "stakes@1.0.0", "--from", bets, "--until", middle)
    assert (early["events"], early["events_after"], early["sides"][0]["points"]) == (3, 3, 6)
    none = daemon.ctl("rules", "backtest", "stakes@1.0.0", "--from", bets, "--since", "2099-01-01",
                      check=False)
    assert none.returncode == 1 and "there are events from" in none.stderr


def test_who_was_verified_before_the_range_is_known(make_daemon):
    daemon = make_daemon(rules=rulebook.PAYS)
    lives = [rewardd.kyc("a", 2, ts=noon(3)), rewardd.bet("a", 8, ts=noon(3, 1)),
             rewardd.bet("a", 10, ts=noon(2)), rewardd.bet("b", 10, ts=noon(2))]
    path = daemon.folder / "lives.ndjson"
    path.write_bytes(rewardd.ndjson(lives))
    side = backtest(daemon, "pays@1.0.0", "--from", path, "--since", noon(2))["sides"][0]
    assert side["statuses"] == {"pending": 1, "held": 1} and side["points"] == 20
    assert side["reasons"] == {"kyc_level": 1}
    assert side["milestones"] == [{"at": 10, "fired": 2, "held": 1, "denied": 0}]


def test_against_another_version(daemon, bets):
    daemon.write_rule("stakes", "2.0.0", rulebook.rule(
        "stakes", "2.0.0", score="event.payload.bet * 2",
        when='player.id ~= "p0"'))
    result = on_any_threads(daemon, "stakes@2.0.0", "--from", bets, "--against", "1.0.0")
    assert [side["version"] for side in result["sides"]] == ["2.0.0", "1.0.0"]
    assert [side["points"] for side in result["sides"]] == [28, 21]
    assert (result["winners"], result["losers"], result["same"]) == (2, 1, 0)
    assert [row["user_id"] for row in result["top_winners"]] == ["p1", "p2"]
    assert [row["user_id"] for row in result["top_losers"]] == ["p0"]
    text = daemon.ctl("rules", "backtest", "stakes@2.0.0", "--from", bets, "--against",
                      "stakes@1.0.0").stdout
    assert "2 players win, 1 lose" in text and "when" in text


def test_text_and_page(make_daemon):
    daemon = make_daemon(rules=rulebook.PAYS_OFTEN, budgets={"nov_season": ("3.00", "3.00")})
    lives = [rewardd.kyc("<b>", 2, ts=noon(2))]
    lives += [rewardd.bet("<b>", 10, ts=noon(2, 1 + at)) for at in range(6)]
    path, page = daemon.folder / "lives.ndjson", daemon.folder / "page.html"
    path.write_bytes(rewardd.ndjson(lives))
    text = daemon.ctl("rules", "backtest", "often@1.0.0", "--from", path, "--html", page).stdout
    for words in ("nov_season", "the hard cap refused a reward", "points a player", "milestones",
                  "MILESTONE", lives[5]["event_id"]):
        assert words in text, words
    html = page.read_text()
    assert html.count("<svg") == html.count("</svg>") >= 3 and "&lt;b&gt;" in html
    assert "<b>" not in html and "http" not in html and "<script" not in html


@pytest.mark.parametrize("words, expected, code", [
    (["stakes@9.0.0", "--from", "BETS"], "has no version 9.0.0 of the rule stakes; there are: 1.0.0", 1),
    (["stake@1.0.0", "--from", "BETS"], "has no rule stake; there are: stakes", 1),
    (["stakes@1.0.0", "--from", "nowhere.ndjson"], "nowhere.ndjson: No such file", 1),
    (["stakes@1.0.0", "--from", "BROKEN"], "broken.ndjson:3:", 1),
    (["stakes@1.0.0", "--from", "WRONG"], "wrong.ndjson:2: /payload/bet", 1),
    (["stakes@1.0.0", "--from", "EMPTY"], "there is no event in it", 1),
    (["stakes@1.0.0"], "--from is missing", 2),
    (["stakes", "--from", "BETS"], "ID@VERSION", 2),
    (["stakes@1.0.0", "--from", "BETS", "--threads", "0"], "from 1 to 64", 2),
    (["stakes@1.0.0", "--from", "BETS", "--since", "yesterday"], "--since yesterday", 2),
    (["stakes@1.0.0", "--from", "BETS", "--against", "1.0.0"], "the version itself", 2),
    (["stakes@1.0.0", "--from", "BETS", "--since", "2025-01-02", "--until", "2025-01-02"],
     "range is empty", 2),
])
def test_what_cannot_be_done_is_said(daemon, bets, words, expected, code):
    whole = bets.read_bytes().split(b"\n")
    wrong = json.loads(whole[1])
    wrong["payload"]["bet"] = "much"
    files = {"BETS": bets, "BROKEN": daemon.folder / "broken.ndjson",
             "WRONG": daemon.folder / "wrong.ndjson", "EMPTY": daemon.folder / "empty.ndjson"}
    files["BROKEN"].write_bytes(b"\n".join(whole[:2] + [b"{]"] + whole[2:]))
    files["WRONG"].write_bytes(whole[0] + b"\n" + json.dumps(wrong).encode())
    files["EMPTY"].write_bytes(b"")
    done = daemon.ctl("rules", "backtest", *[files.get(word, word) for word in words], check=False)
    assert done.returncode == code and expected in done.stderr, done.stderr
