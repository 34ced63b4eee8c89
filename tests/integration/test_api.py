"""What people and consoles read: players, decisions, tasks, ledger, dead letters."""

import hashlib
import json
import os
import pwd

import pytest

import openapi
import rewardd
import rulebook
from rewardd import bet, expect_problem, kyc, letter_id, noon

# Three rules that make explain interesting: one fires, one is capped, one never fires.
THREE = {
    ("capped", "1.0.0"): rulebook.rule("capped", score="event.payload.bet",
                                       caps={"per_event": 50, "per_day": 60}),
    ("elsewhere", "1.0.0"): rulebook.rule("elsewhere", where='{ geo = { "BR" } }'),
    ("large_only", "1.0.0"): rulebook.rule("large_only", when="event.payload.bet >= 1000"),
}


@pytest.fixture
def explained(make_daemon):
    return make_daemon(rules=THREE)


def test_player(paying):
    paying.accept(kyc("u1", ts=noon(1, 0)), bet("u1", 12, ts=noon(1, 1)))
    player = paying.player("u1")
    assert set(player) >= {"user_id", "kyc_level", "rg", "geo", "points", "milestones", "arms"}
    assert (player["user_id"], player["kyc_level"], player["geo"]) == ("u1", 2, "TR")
    assert player["points"] == {"pays": 12} and player["milestones"] == {"pays": [10]}
    assert set(player["rg"]) >= {"self_excluded", "cool_off_until", "deposit_limit_reached"}
    assert player["rg"]["self_excluded"] is False
    expect_problem(paying.get("/v1/players/nobody"), 404)


def test_as_fresh_as_the_last_ack(daemon):
    """No waiting here, on purpose: what was acknowledged is readable at once."""
    for number in range(1, 101):
        daemon.accept(bet("u1", 1, ts=noon(1, number)))
        assert daemon.points("u1", "stakes") == number


def test_explain_one_event(explained):
    first, second = bet("u1", 70, ts=noon(1, 0)), bet("u1", 70, ts=noon(1, 1))
    explained.accept(first, second)
    text = json.dumps(explained.decision(second["event_id"]))
    for word in ("capped", "elsewhere", "large_only", "70", "10", "per_day", "geo", "when"):
        assert word in text, (word, text)
    assert "per_event" in json.dumps(explained.decision(first["event_id"]))
    assert explained.points("u1", "capped") == 60
    expect_problem(explained.get("/v1/decisions/no_such_event"), 404)


def test_refusals_do_not_hide_a_verdict(explained):
    """Whoever repeats a broken event under the id of a good one, however often."""
    good = bet("u1", 10, ts=noon(), event_id="same")
    explained.accept(good, *(bet(f"other{i}", 10, ts=noon(), event_id="same") for i in range(50)))
    broken = {**good, "payload": {**good["payload"], "bet": None}}
    assert explained.post_events([broken] * 150).json["rejected"] == 150
    verdict = explained.get("/v1/decisions/same?user_id=u1").json
    assert (verdict["status"], verdict["user_id"]) == ("accepted", "u1")
    assert explained.decision("same")["status"] == "accepted"


def test_explain_survives_restart_and_the_rule_file(explained):
    one = bet("u1", 70, ts=noon())
    explained.accept(one)
    before = explained.decision(one["event_id"])
    explained.restart()
    assert explained.decision(one["event_id"]) == before


def test_decisions_of_a_player_newest_first_by_pages(explained):
    events = [bet("u1", 1, ts=noon(1, number)) for number in range(25)]
    for one in events:
        explained.accept(one, bet("u2", 1, ts=noon()))
    found = explained.listing("/v1/players/u1/decisions", limit=10)
    order = [item["event_id"] if "event_id" in item else item["event"]["event_id"]
             for item in found]
    assert order == [one["event_id"] for one in reversed(events)]
    assert "1.0.0" in json.dumps(found[0])


def make_tasks(daemon, count):
    users = [f"u{number:03}" for number in range(count)]
    daemon.accept(*[kyc(user, ts=noon(1, 0)) for user in users])
    daemon.accept(*[bet(user, 10, ts=noon(1, 1)) for user in users])
    daemon.wait_for(lambda: len(daemon.tasks(status="succeeded")) == count, 60)
    return users


def test_task_shape_and_filters(paying):
    make_tasks(paying, 3)
    task, = paying.tasks(user_id="u001")
    assert set(task) >= {"reward_task_id", "user_id", "origin", "reward", "pool_id", "cost",
                         "status", "reason", "attempts", "created_at", "updated_at"}
    assert set(task["origin"]) >= {"rule_id", "version", "threshold", "event_id"}
    assert (task["origin"]["rule_id"], task["origin"]["threshold"]) == ("pays", 10)
    assert (task["pool_id"], rewardd.cents(task["cost"])) == ("nov_season", 500)
    assert task["created_at"] <= task["updated_at"] and task["created_at"].endswith("Z")
    assert len(paying.tasks(rule_id="pays")) == 3
    assert paying.tasks(rule_id="other") == paying.tasks(status="held") == []
    assert paying.tasks(user_id="nobody") == []
    expect_problem(paying.get("/v1/reward-tasks?status=nonsense"), 400)


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_cursors_see_everything_once(paying, limit):
    users = make_tasks(paying, 30)
    found = paying.listing("/v1/reward-tasks", limit=limit)
    assert sorted(task["user_id"] for task in found) == users
    assert len(paying.listing("/v1/ledger", limit=limit)) == 30


def test_a_page_is_stable_while_more_arrives(paying):
    """Whoever pages through a list meets each old item exactly once, whatever is added."""
    make_tasks(paying, 20)
    first = paying.get("/v1/reward-tasks?limit=10").json
    paying.accept(kyc("z", ts=noon(1, 0)), bet("z", 10, ts=noon(1, 1)))
    paying.wait_task("succeeded", user_id="z")
    second = paying.get(f"/v1/reward-tasks?limit=10&cursor={first['next_cursor']}").json
    ids = [item["reward_task_id"] for item in first["items"] + second["items"]]
    assert len(ids) == len(set(ids)) == 20


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "limit=1000000000",
                                   "cursor=forged", "cursor=%00", "nonsense=1"])
def test_bad_queries(paying, query):
    """Refused, or (a limit too large, a key unknown) read with care; never an error of ours."""
    answer = paying.get(f"/v1/reward-tasks?{query}")
    if answer.status != 200:
        expect_problem(answer, 400)
    else:
        assert query in ("limit=1000000000", "nonsense=1")


def test_ledger(paying):
    make_tasks(paying, 3)
    row, = paying.ledger(user_id="u002")
    assert row["user_id"] == "u002" and row["pool_id"] == "nov_season"
    assert rewardd.ledger_cents(row) == 500
    for word in ("pays", "1.0.0"):
        assert word in json.dumps(row), "every row carries its rule and version"
    source = (paying.rules / "pays" / "1.0.0.lua").read_bytes()
    assert row["content_hash"] == hashlib.sha256(source).hexdigest()
    assert row["content_hash"] == paying.tasks(user_id="u002")[0]["origin"]["content_hash"]
    paying.restart()
    assert paying.ledger(user_id="u002") == [row]
    assert len(paying.ledger(pool_id="nov_season")) == 3 and paying.ledger(pool_id="other") == []


def test_actions_on_unknown_things(paying):
    for path in ("/v1/reward-tasks/rt_00000000000000000000000000000000/approve",
                 "/v1/reward-tasks/nonsense/reject", "/v1/dead-letters/dl_0/drop"):
        expect_problem(paying.post(path, {"reason": "test"}), (400, 404))


# ---------------------------------------------------------------- dead letters: events


def bad_event(daemon):
    """A bet whose stake is a text: rejected and kept with its raw body."""
    one = bet("u1", 5, ts=noon())
    one["payload"]["bet"] = "five"
    daemon.refuse(one)
    letter, = daemon.wait_for(lambda: daemon.dead_letters("events"))
    return one, letter


def test_dead_letter_keeps_reason_and_raw_body(daemon):
    one, letter = bad_event(daemon)
    assert letter["reason"] and letter["attempts"] >= 0
    assert "five" in json.dumps(letter)
    assert daemon.dead_letters("events", reason=letter["reason"])
    assert daemon.dead_letters("events", reason="another") == []
    assert daemon.dead_letters("deliveries") == []
    assert one["event_id"] in json.dumps(letter)


def test_fix_and_reprocess(daemon):
    one, letter = bad_event(daemon)
    path = f"/v1/dead-letters/{letter_id(letter)}"
    one["payload"]["bet"] = 5
    assert daemon.put(path, one).status == 200
    assert daemon.post(path + "/reprocess", {"reason": "fixed"}).status == 200
    daemon.wait_for(lambda: daemon.get("/v1/players/u1").status == 200
                    and daemon.points("u1", "stakes") == 5)
    daemon.post(path + "/reprocess", {"reason": "again"})
    assert daemon.post_events([one]).json["duplicates"] == 1, "it is the same event still"
    assert daemon.points("u1", "stakes") == 5


def test_a_fix_that_no_record_can_hold(daemon):
    wrong = bet("u1", 3, ts=noon())
    wrong["payload"]["bet"] = None
    daemon.refuse(wrong)
    path = f"/v1/dead-letters/{letter_id(daemon.dead_letters('events')[0])}"
    large = {**bet("u1", 3, ts=noon()), "note": "x" * (1 << 20)}
    expect_problem(daemon.put(path, large), 413, "at most")
    assert daemon.put(path, bet("u1", 3, ts=noon(), event_id=wrong["event_id"])).status == 200
    assert daemon.post(path + "/reprocess", {"reason": "fixed"}).status == 200


def test_reprocess_without_a_fix_fails_again_and_stays(daemon):
    _, letter = bad_event(daemon)
    path = f"/v1/dead-letters/{letter_id(letter)}"
    answer = daemon.post(path + "/reprocess", {"reason": "hope"})
    assert answer.status in (200, 409, 422), answer
    assert len(daemon.dead_letters("events")) == 1
    assert daemon.get("/v1/players/u1").status in (200, 404)


def test_drop(daemon):
    _, letter = bad_event(daemon)
    path = f"/v1/dead-letters/{letter_id(letter)}"
    assert daemon.post(path + "/drop", {"reason": "spam"}).status == 200
    assert daemon.post(path + "/drop", {"reason": "spam"}).status in (200, 409), "idempotent"
    expect_problem(daemon.post(path + "/reprocess", {"reason": "oh"}), (404, 409))
    daemon.restart()
    expect_problem(daemon.post(path + "/reprocess", {"reason": "oh"}), (404, 409))


# ---------------------------------------------------------------- rules: what scripts can do


def test_grant_gives_a_reward_directly(make_daemon, wallet):
    daemon = make_daemon(rules={("hello", "1.0.0"): rulebook.rule(
        "hello", on=("login",), guards=rulebook.guards(1),
        grant='if event.user.platform == "android" then return freespins { count = 3, '
              'game = "slot_wolf" } end')})
    login = rewardd.event("login", "u1", {}, ts=noon(1, 1))
    daemon.accept(kyc("u1", ts=noon(1, 0)), login,
                  rewardd.event("login", "u1", {}, ts=noon(1, 2), platform="ios"))
    task = daemon.wait_task("succeeded", user_id="u1")
    assert task["origin"]["event_id"] == login["event_id"]
    assert daemon.player("u1")["points"].get("hello", 0) == 0
    assert rewardd.cents(task["cost"]) == 30, "three at 0.10 of the price book"
    rewardd.check_books(daemon, wallet)


def test_state_and_aggregates(make_daemon):
    text = f"""return rule {{ id = "mind", version = "1.0.0", title = "t", owner = "o",
  on = {{ "bet" }}, {rulebook.ALWAYS}
  state = {{ streak = 0 }},
  aggregates = {{ wager_1d = sum("payload.bet", "1d"), bets_1h = count("1h"),
                  last_game = last("payload.game_id") }},
  score = function(event, player, state)
    state.streak = event.payload.win > 0 and state.streak + 1 or 0
    return player.agg.wager_1d * 1000 + player.agg.bets_1h * 100 + state.streak
  end }}
"""
    daemon = make_daemon(rules={("mind", "1.0.0"): text})
    got = []
    for number, win in enumerate((2, 2, 0, 2)):
        result, = daemon.accept(bet("u1", 3, win, ts=noon(1, number)))
        got.append(result["points"][0]["points"])
        if number == 1:
            daemon.restart()
    assert got == [3101, 6202, 9300, 12401]


def test_missing_fields_are_nil_and_where_falls_back(make_daemon):
    daemon = make_daemon(rules={
        ("nil_safe", "1.0.0"): rulebook.rule(
            "nil_safe", score="event.a.b.c == nil and event.payload.nothing == nil and 1 or 0"),
        ("in_br", "1.0.0"): rulebook.rule("in_br", where='{ geo = "BR" }', score="1")})
    daemon.accept(bet("u1", 1, ts=noon(1, 0), geo="BR"), bet("u1", 1, ts=noon(1, 1), geo=None),
                  bet("u1", 1, ts=noon(1, 2), geo="TR"))
    assert daemon.player("u1")["points"] == {"nil_safe": 3, "in_br": 2}


def test_rewardctl_knows_its_way(daemon):
    assert "verify" in (lambda done: done.stdout + done.stderr)(daemon.ctl("--help", check=False))
    assert daemon.ctl("no_such_command", check=False).returncode != 0
    daemon.accept(bet("u1", 1, ts=noon()))
    daemon.ctl("journal", "verify")


def test_who_acted_is_in_the_journal(make_daemon):
    """X-Actor names who asked; rewardctl names the system's user; what is no name is refused."""
    daemon = make_daemon(rules={("large", "1.0.0"): rulebook.rule(
        "large", milestones=[(10, rulebook.cash("500.00"))], guards=rulebook.guards())},
        budgets={"nov_season": ("5000.00", "400.00")})
    ids = []
    for user in ("u1", "u2", "u3"):
        daemon.accept(rewardd.kyc(user, ts=rewardd.noon(1, 0)))
        daemon.accept(rewardd.bet(user, 10, ts=rewardd.noon(1, 1)))
        ids.append(daemon.wait_task("held", user_id=user)["reward_task_id"])

    def act(method, path, body, actor):
        return daemon.request(method, path, body, headers={"X-Actor": actor} if actor else None)

    terms = {"currency": "EUR", "period": "season", "hard_cap": "6000.00", "reason": "more to come"}
    for actor in ("", " ", "a" * 65, "t\tab", "\xe9"):
        bad = daemon.request("PUT", "/v1/budgets/nov_season", terms, headers={"X-Actor": actor})
        rewardd.expect_problem(bad, 400)
    assert daemon.budget()["hard_cap"] == "5000.00"
    assert act("POST", f"/v1/reward-tasks/{ids[0]}/reject", {"reason": "bot"},
               "ann@support").status == 200
    assert act("POST", f"/v1/reward-tasks/{ids[1]}/reject", {"reason": "bot"}, None).status == 200
    daemon.ctl("reject", ids[2], "--reason", "bot")
    assert act("PUT", "/v1/budgets/nov_season", terms, "a" * 64).status == 200
    assert act("POST", "/v1/rules/large/versions/1.0.0/retire", {"reason": "over"},
               "ann of growth").status == 200
    daemon.restart()
    daemon.stop()
    lines = [json.loads(line) for line in daemon.ctl("journal", "cat").stdout.splitlines()]
    said = [(line["command"], line["who"], line["why"]) for line in lines if "command" in line]
    user = pwd.getpwuid(os.getuid()).pw_name
    assert said == [("reject", "ann@support", "bot"), ("reject", "api", "bot"),
                    ("reject", f"rewardctl:{user}", "bot")]
    assert [(line["who"], line["why"]) for line in lines if "hard_cap" in line] == [
        ("engine.conf", ""), ("a" * 64, "more to come")]
    assert [(change["state"], line["who"], line["why"]) for line in lines
            if line["type"] == "rulebook" for change in line["changes"]] == [
        ("active", "rules folder", ""), ("retired", "ann of growth", "over")]


def test_answers_are_as_openapi_says(make_daemon, wallet):
    """Every answer has all that /openapi.json says it has, and nothing that it does not say."""
    daemon = make_daemon(rules={**rulebook.PAYS, ("spins", "1.0.0"): rulebook.rule(
        "spins", score="event.payload.bet", guards=rulebook.guards(),
        milestones=[(10, rulebook.freespins(5))])})
    document = openapi.Document(daemon.get("/openapi.json").json)

    def call(method, pattern, body=None, status=200, query="", headers=None, **words):
        kind = {"Content-Type": "application/json"}
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        answer = daemon.request(method, pattern.format(**words) + query, body,
                                {**kind, **(headers or {})} if body is not None else headers)
        assert answer.status == status, answer
        document.check(method, pattern, answer)
        return answer.json if "json" in answer.headers["Content-Type"] else None

    bad = bet("u1", 1)
    bad["payload"]["bet"] = None
    wallet.next({"do": "status", "status": 404})
    call("POST", "/v1/events", rewardd.ndjson([kyc("u1"), bet("u1", 12, event_id="one"), bad]),
         headers={"Content-Type": "application/x-ndjson"})
    call("POST", "/v1/events", rewardd.ndjson([bet("u2", 12), bad]),
         headers={"Content-Type": "application/x-ndjson", "Prefer": "return=minimal"})
    call("POST", "/v1/events", b"[", status=400)
    call("POST", "/v1/events", b"", status=415, headers={"Content-Encoding": "gzip"})
    daemon.wait_settled()
    for pattern in ("/v1/players/{id}", "/v1/players/{id}/decisions"):
        call("GET", pattern, id="u1")
    call("GET", "/v1/players/{id}", id="nobody", status=404)
    call("GET", "/v1/decisions/{event_id}", event_id="one")
    call("GET", "/v1/decisions/{event_id}", event_id="none", status=404)
    tasks = call("GET", "/v1/reward-tasks")["items"]
    assert {task["status"] for task in tasks} == {"held", "failed", "succeeded"}
    for task in tasks:
        call("GET", "/v1/reward-tasks/{id}", id=task["reward_task_id"])
    held = next(task["reward_task_id"] for task in tasks if task["status"] == "held")
    call("POST", "/v1/reward-tasks/{id}/approve", {}, status=400, id=held)
    call("POST", "/v1/reward-tasks/{id}/approve", {"reason": "no"}, status=409, id=held)
    call("POST", "/v1/reward-tasks/{id}/reject", {"reason": "no"}, id=held)
    assert call("GET", "/v1/ledger")["items"]
    call("GET", "/v1/ledger", query="?limit=0", status=400)
    call("GET", "/v1/budgets")
    call("GET", "/v1/budgets/{pool}", pool="nov_season")
    call("GET", "/v1/budgets/{pool}", pool="none", status=404)
    call("PUT", "/v1/budgets/{pool}", {"currency": "EUR", "period": "day", "hard_cap": "5.00"},
         status=201, pool="more")
    letters = call("GET", "/v1/dead-letters")["items"]
    assert {letter["lane"] for letter in letters} == {"events", "deliveries"}
    for letter in letters:
        words = {"id": letter_id(letter)}
        call("GET", "/v1/dead-letters/{id}", **words)
        if letter["lane"] == "events":
            call("POST", "/v1/dead-letters/{id}/reprocess", {"reason": "r"}, status=422, **words)
            call("PUT", "/v1/dead-letters/{id}", json.dumps(bet("u3", 1)).encode(), **words)
        call("POST", "/v1/dead-letters/{id}/reprocess", {"reason": "r"}, **words)
        call("POST", "/v1/dead-letters/{id}/drop", {"reason": "r"}, status=409, **words)
    source = rulebook.rule("sent", "1.0.0").encode()
    call("POST", "/v1/rules", source, status=201, headers={"Content-Type": "text/x-lua"})
    call("POST", "/v1/rules", b"return", status=422, headers={"Content-Type": "text/x-lua"})
    call("GET", "/v1/rules")
    call("GET", "/v1/rules/{id}", id="sent")
    call("GET", "/v1/rules/{id}", id="none", status=404)
    call("POST", "/v1/rules/{id}/versions/{v}/retire", {"reason": "r"}, id="sent", v="1.0.0")
    call("POST", "/v1/rules/{id}/versions/{v}/activate", {"share": 10}, id="sent", v="1.0.0")
    call("POST", "/v1/rules/{id}/rollback", {}, id="sent")
    for pattern in ("/v1/experiments", "/healthz", "/readyz", "/metrics", "/openapi.json"):
        call("GET", pattern)
