"""The life of a rule version, live: canaries, ramps with guards, shadows, deploys, rollbacks."""

import json
import re
import time

import pytest

import rulebook
from rewardd import bet, cents, expect_problem, kyc, noon

USERS = [f"u{number}" for number in range(400)]


def version(number, score, **more):
    return rulebook.rule("live", number, score=score, **more)


@pytest.fixture
def live(make_daemon):
    """1.0.0 is active and worth 1 point a bet; 2.0.0, a draft, is worth 10."""
    daemon = make_daemon(rules={("live", "1.0.0"): version("1.0.0", "1")})
    upload(daemon, version("2.0.0", "10"))
    return daemon


def upload(daemon, source):
    answer = daemon.request("POST", "/v1/rules", source.encode(), {"Content-Type": "text/x-lua"})
    assert answer.status == 201, answer
    return answer.json


def command(daemon, path, body=None, status=200):
    answer = daemon.post("/v1/rules/live" + path, body)
    assert answer.status == status, answer
    return answer.json


def activate(daemon, number, **body):
    return command(daemon, f"/versions/{number}/activate", body)


def state_of(daemon, number, rule_id="live"):
    rule = daemon.get(f"/v1/rules/{rule_id}").json
    return next(version for version in rule["versions"] if version["version"] == number)


def versions_of(daemon, users):
    """Which version decides for each of them now, as their events' answers say."""
    found = {}
    for begin in range(0, len(users), 200):
        part = users[begin:begin + 200]
        for user, result in zip(part, daemon.accept(*[bet(user, 1, ts=noon()) for user in part])):
            rows = [row for row in result["points"] if row["rule_id"] == "live"]
            assert len(rows) == 1, result
            assert (rows[0]["version"], rows[0]["points"]) in (("1.0.0", 1), ("2.0.0", 10)), rows
            found[user] = rows[0]["version"]
    return found


def new_ones(daemon, users):
    return {user for user, number in versions_of(daemon, users).items() if number == "2.0.0"}


def wait_share(daemon, share):
    """A switch is answered when it is durable; the shards have it a moment later."""
    probes = [f"probe{number}" for number in range(50)]
    wanted = {0: lambda count: count == 0, 100: lambda count: count == 50}.get(
        share, lambda count: 0 < count < 50)
    daemon.wait_for(lambda: wanted(len(new_ones(daemon, probes))))


def test_a_draft_decides_nothing(live):
    assert state_of(live, "2.0.0")["state"] == "draft"
    assert new_ones(live, USERS[:20]) == set()


def test_a_canarys_share_is_sticky_and_grows(live):
    activate(live, "2.0.0", share=10)
    wait_share(live, 10)
    tenth = new_ones(live, USERS)
    assert 0.05 * len(USERS) < len(tenth) < 0.15 * len(USERS)
    assert new_ones(live, USERS) == tenth, "sticky"
    live.restart()
    assert new_ones(live, USERS) == tenth, "over a restart too"
    activate(live, "2.0.0", share=50)
    live.wait_for(lambda: len(new_ones(live, USERS)) > 0.4 * len(USERS))
    half = new_ones(live, USERS)
    assert tenth < half and len(half) < 0.6 * len(USERS)
    answer = live.post("/v1/rules/live/versions/2.0.0/activate", {"share": 10})
    expect_problem(answer, 409, "only grows")
    activate(live, "2.0.0", share=100)
    live.wait_for(lambda: new_ones(live, USERS) == set(USERS))
    assert state_of(live, "1.0.0")["state"] == "retired"


def test_a_decision_names_one_version_of_a_rule(live):
    activate(live, "2.0.0", share=50)
    wait_share(live, 50)
    for user in USERS[:20]:
        event = bet(user, 1, ts=noon())
        live.accept(event)
        rules = [row for row in live.decision(event["event_id"])["rules"]
                 if row["rule_id"] == "live"]
        assert len(rules) == 1 and len(rules[0]["content_hash"]) == 64, rules
        assert rules[0]["points"] == {"1.0.0": 1, "2.0.0": 10}[rules[0]["version"]]


def test_a_rollback_takes_a_canary_from_everybody(live):
    activate(live, "2.0.0", share=50, reason="try it")
    wait_share(live, 50)
    assert state_of(live, "2.0.0")["reason"] == "try it"
    answer = live.request("POST", "/v1/rules/live/rollback", {"reason": "too generous"},
                          {"X-Actor": "ann"})
    assert answer.status == 200 and answer.json["version"] == "1.0.0", answer
    wait_share(live, 0)
    found = state_of(live, "2.0.0")
    assert (found["state"], found["share"]) == ("retired", 0)
    assert (found["actor"], found["reason"]) == ("ann", "too generous")
    live.stop()
    lines = [json.loads(line) for line in live.ctl("journal", "cat").stdout.splitlines()]
    changes = [(change["version"], change["state"], change["share"], line["who"], line["why"])
               for line in lines if line["type"] == "rulebook" for change in line["changes"]]
    assert ("2.0.0", "canary", 50, "api", "try it") in changes
    assert ("2.0.0", "retired", 0, "ann", "too generous") in changes


def test_status_counts(live):
    activate(live, "2.0.0", share=50)
    wait_share(live, 50)
    versions_of(live, USERS)
    old, new = state_of(live, "1.0.0"), state_of(live, "2.0.0")
    assert old["health"]["calls"] == old["given"]["points"] and old["health"]["errors"] == 0
    assert new["given"]["points"] == 10 * new["health"]["calls"] > 0
    assert old["health"]["since"] <= new["health"]["since"] == new["registered_at"]
    text = live.ctl("rules", "status", "live").stdout
    assert "canary" in text and "active" in text and "50" in text
    assert f"since {old['health']['since']}" in text
    assert set(activate(live, "2.0.0", share=60)) == set(old) - {"given", "health", "shadow"}


def test_what_a_version_gave_survives_everything(make_daemon, wallet):
    """Two versions give to some players each; then kill -9, and a store made anew from the journal.
    At any time the money of all versions is what the budget has spent and reserved."""
    pays = {"guards": rulebook.guards(kyc=1)}
    one = version("1.0.0", "1", milestones=[(1, rulebook.freespins(10))], **pays)
    two = version("2.0.0", "10", milestones=[(10, rulebook.freespins(30))], **pays)
    daemon = make_daemon(rules={("live", "1.0.0"): one})
    upload(daemon, two)
    activate(daemon, "2.0.0", share=50)
    daemon.wait_for(lambda: state_of(daemon, "2.0.0")["state"] == "canary")
    users = USERS[:60]
    daemon.accept(*[kyc(user, 1, ts=noon()) for user in users[:40]])  # the others' are held
    owner = versions_of(daemon, users)
    count = {name: sum(found == name for found in owner.values()) for name in ("1.0.0", "2.0.0")}
    held = {name: sum(owner[user] == name for user in users[40:]) for name in count}

    def given(name):
        return state_of(daemon, name)["given"]

    def check():
        old, new, budget = given("1.0.0"), given("2.0.0"), daemon.budget()
        assert (old["points"], new["points"]) == (count["1.0.0"], 10 * count["2.0.0"])
        assert (old["reward_tasks"], new["reward_tasks"]) == (count["1.0.0"], count["2.0.0"])
        assert (old["held"], new["held"]) == (held["1.0.0"], held["2.0.0"])
        assert old["money"] == f"{count['1.0.0']:.2f}" and old["currency"] == "EUR"
        assert new["money"] == f"{3 * count['2.0.0']:.2f}"
        assert sum(cents(g["money"]) for g in (old, new)) == sum(
            cents(budget[name]) for name in ("spent", "reserved"))
        assert sum(cents(g["paid"]) for g in (old, new)) == cents(budget["spent"])
        return old, new
    daemon.wait_for(lambda: len(daemon.tasks(status="succeeded")) == 40)
    before = check()
    started = state_of(daemon, "1.0.0")["health"]
    daemon.kill9()
    daemon.restart()
    assert check() == before
    health = state_of(daemon, "1.0.0")["health"]
    assert health["calls"] == 0 and health["since"] > started["since"]
    # What a person turns away was not given.
    turned_away = daemon.tasks(status="held")[0]
    name = turned_away["origin"]["version"]
    answer = daemon.post(f"/v1/reward-tasks/{turned_away['reward_task_id']}/reject",
                         {"reason": "test"})
    assert answer.status == 200, answer
    assert given(name)["held"] == held[name] - 1
    assert given(name)["reward_tasks"] == count[name] - 1
    before = given("1.0.0"), given("2.0.0")
    daemon.stop()
    for path in daemon.data.glob("rewardd.sqlite3*"):
        path.unlink()
    daemon.restart()
    assert (given("1.0.0"), given("2.0.0")) == before


def ramp(daemon, status=200, **body):
    return command(daemon, "/versions/2.0.0/ramp", {"steps": [10, 50, 100], "every_ms": 100,
                                                    **body}, status)


def test_a_ramp_grows_by_itself_and_survives_a_restart(live):
    ramp(live, every_ms=86400000)
    wait_share(live, 10)
    tenth = new_ones(live, USERS)
    live.kill9()
    live.restart()
    found = state_of(live, "2.0.0")
    assert (found["state"], found["share"], found["ramp"]["state"]) == ("canary", 10, "running")
    assert new_ones(live, USERS) == tenth
    # What a call costs is of this machine and moment, and a slow build's p99 is anything.
    ramp(live, every_ms=100, guards={"calls_min": 20, "srm": False, "cost_percent": 0})

    def grown():
        assert tenth <= new_ones(live, USERS), "nobody is moved back"
        return state_of(live, "2.0.0")["state"] == "active"
    live.wait_for(grown)
    found = state_of(live, "2.0.0")
    assert found["ramp"]["state"] == "done" and found["actor"] == "ramp"
    assert state_of(live, "1.0.0")["state"] == "retired"


def test_questions_are_answered_while_a_ramp_steps(live):
    """A question that comes during a switch that nobody asked for must not wait for the next one."""
    ramp(live, steps=list(range(5, 80, 5)), guards={"calls_min": 0, "srm": False})
    worst, state = 0, "running"
    while state == "running":
        begin = time.monotonic()
        state = state_of(live, "2.0.0")["ramp"]["state"]
        worst = max(worst, time.monotonic() - begin)
    assert state == "done" and worst < 10, f"{worst:.1f} s for an answer"


def test_a_ramp_with_errors_rolls_itself_back(make_daemon):
    """It fails for one player of fifty: too rarely for the breaker, too often for the guard."""
    daemon = make_daemon(rules={("live", "1.0.0"): version("1.0.0", "1")},
                         extra="sandbox { error_count_max = 60 }")
    upload(daemon, version("2.0.0", "event.payload.bet > 1 and event.nothing.x + nil or 10"))
    ramp(daemon, every_ms=86400000, steps=[50, 100], guards={"calls_min": 50})
    wait_share(daemon, 50)
    for begin in range(0, 400, 50):
        users = USERS[begin:begin + 50]
        daemon.accept(*[bet(user, 2 if number % 20 < 2 else 1, ts=noon())
                        for number, user in enumerate(users)])
    daemon.wait_for(lambda: state_of(daemon, "2.0.0")["state"] == "retired")
    found = state_of(daemon, "2.0.0")
    assert found["ramp"]["state"] == "rolled_back" and "errors" in found["ramp"]["why"], found
    assert found["actor"] == "ramp"
    wait_share(daemon, 0)


@pytest.mark.parametrize("spins, verdict", [(11, "running"), (30, "rolled_back")])
def test_a_ramp_that_spends_too_much_rolls_itself_back(make_daemon, wallet, spins, verdict):
    """Three times the money of the version it replaces, per player, at half of the players."""
    pays = {"guards": rulebook.guards(kyc=0)}
    daemon = make_daemon(rules={("live", "1.0.0"): version(
        "1.0.0", "1", milestones=[(1, rulebook.freespins(10))], **pays)})
    upload(daemon, version("2.0.0", "10", milestones=[(1, rulebook.freespins(spins))], **pays))
    ramp(daemon, every_ms=86400000, steps=[50, 100], guards={"calls_min": 20})
    wait_share(daemon, 50)
    versions_of(daemon, USERS[:200])

    def judged():
        given = state_of(daemon, "2.0.0")["given"]
        return given["reward_tasks"] >= 80 and state_of(daemon, "2.0.0")["ramp"]["state"] == verdict
    daemon.wait_for(judged)
    found = state_of(daemon, "2.0.0")
    assert found["state"] == ("canary" if verdict == "running" else "retired"), found
    assert ("money" in found["ramp"]["why"]) == (verdict != "running"), found


def wait_ramp(daemon, state, send):
    """Sends until the ramp of 2.0.0 stands so; what it then says of itself."""
    def stands():
        send()
        return state_of(daemon, "2.0.0")["ramp"]["state"] == state
    daemon.wait_for(stands, what=f"the ramp is {state}")
    return state_of(daemon, "2.0.0")


def check_held_where_it_is(daemon, share, word):
    """Nobody gains the version, nobody loses it, also after a restart; a person may let it go on."""
    found = state_of(daemon, "2.0.0")
    assert (found["state"], found["share"], found["ramp"]["state"]) == ("canary", share, "held")
    assert found["ramp"]["why"].startswith(word) and found["actor"] == "ramp", found
    assert "ALERT: its ramp is held" in daemon.log()
    holders = new_ones(daemon, USERS)
    assert 0.6 * share < 100 * len(holders) / len(USERS) < 1.4 * share
    daemon.restart()
    assert new_ones(daemon, USERS) == holders
    found = state_of(daemon, "2.0.0")
    assert (found["share"], found["ramp"]["state"]) == (share, "held")
    assert "held" in daemon.ctl("rules", "status", "live").stdout


SLOW = "(function() local n = 0 for i = 1, 5000 do n = n + i end return 10 end)()"


def test_a_ramp_whose_calls_cost_more_is_held(make_daemon):
    """Some ten thousand instructions a call instead of one or two."""
    daemon = make_daemon(rules={("live", "1.0.0"): version("1.0.0", "1")})
    upload(daemon, version("2.0.0", SLOW))
    ramp(daemon, every_ms=86400000, steps=[50, 100], guards={"calls_min": 20})
    wait_ramp(daemon, "held", lambda: versions_of(daemon, USERS[:200]))
    health = {number: state_of(daemon, number)["health"] for number in ("1.0.0", "2.0.0")}
    assert health["2.0.0"]["cost_p99_us"] > 20
    check_held_where_it_is(daemon, 50, "cost: ")
    # Whoever asks for it without the guard has it grow.
    ramp(daemon, steps=[60, 100], guards={"calls_min": 20, "cost_percent": 0, "srm": False})
    wait_ramp(daemon, "done", lambda: versions_of(daemon, USERS[:200]))


@pytest.mark.parametrize("kyc, verdict", [(0, "done"), (2, "held")])
def test_a_ramp_that_holds_more_rewards_is_held(make_daemon, wallet, kyc, verdict):
    """The canary's rewards wait for a KYC level that nobody has; they cost what the others cost."""
    def paying(number, score, level):
        return version(number, score, milestones=[(1, rulebook.freespins(10))],
                       guards=rulebook.guards(kyc=level))
    daemon = make_daemon(rules={("live", "1.0.0"): paying("1.0.0", "1", 0)})
    upload(daemon, paying("2.0.0", "10", kyc))
    guards = {"calls_min": 50, "cost_percent": 0, "money_percent": 0, "srm": False}
    ramp(daemon, every_ms=500, steps=[50, 100], guards=guards)
    fresh = iter(range(100000))
    found = wait_ramp(daemon, verdict, lambda: versions_of(
        daemon, [f"holder{next(fresh)}" for _ in range(200)]))
    if verdict == "done":
        assert found["state"] == "active"
        return
    assert "100.0 per cent of its rewards are held, 0.0 of those of" in found["ramp"]["why"], found
    assert found["given"]["held"] == found["given"]["reward_tasks"] > 0
    check_held_where_it_is(daemon, 50, "held: ")


@pytest.mark.parametrize("everybody", [True, False])
def test_a_ramp_whose_players_do_not_divide_as_told_is_held(live, everybody):
    """Something keeps the events of those away who have the version that is to be replaced."""
    activate(live, "2.0.0", share=50)
    wait_share(live, 50)
    half = new_ones(live, USERS)
    senders = USERS if everybody else sorted(half)
    ramp(live, every_ms=1000, steps=[60, 100], guards={"calls_min": 100, "cost_percent": 0})
    found = wait_ramp(live, "done" if everybody else "held", lambda: versions_of(live, senders))
    if everybody:
        assert found["state"] == "active"
        return
    assert re.match(r"srm: (\d+) of \1 players seen have it, \d+ were to \(p = [\d.e-]+\)",
                    found["ramp"]["why"]), found
    check_held_where_it_is(live, 60, "srm: ")


def test_bad_ramps_are_refused(live):
    for body in ({"steps": []}, {"steps": [50, 10]}, {"steps": [0]}, {"steps": "10"},
                 {"every_ms": 0}, {"every_ms": 1}, {"guards": {"nonsense": 1}},
                 {"guards": {"errors_per_mille": -1}}, {"nonsense": 1}):
        ramp(live, status=400, **body)
    assert state_of(live, "2.0.0")["state"] == "draft"
    done = live.ctl("rules", "ramp", "live@2.0.0", "--steps", "10,50", "--every", "soon",
                    check=False)
    assert done.returncode == 2 and "--every" in done.stderr


def test_ctl_walks_a_version_through_its_life(live):
    assert "canary for 10 %" in live.ctl("rules", "activate", "live@2.0.0", "--share", "10").stdout
    assert "canary for 50 % of players; 100 % in 2h if no guard objects" in live.ctl(
        "rules", "ramp", "live@2.0.0", "--steps", "50,100", "--every", "2h", "--reason",
        "looks good").stdout
    status = live.ctl("rules", "status").stdout
    assert "running 1 of 2: 50 %" in status
    assert status.count("50 %") == 3, "the canary's too, and what it leaves the active version"
    assert "live 1.0.0 is active" in live.ctl("rules", "rollback", "live").stdout
    assert "ramp rolled back" in live.ctl("rules", "status").stdout
    assert "is a shadow" in live.ctl("rules", "shadow", "live@2.0.0").stdout
    assert "retired" in live.ctl("rules", "retire", "live@2.0.0").stdout
    assert "is active" in live.ctl("rules", "activate", "live@2.0.0").stdout
    assert "ramp" not in live.ctl("rules", "status").stdout, "given up, and of no interest now"
    unknown = live.ctl("rules", "statsu", check=False)
    assert unknown.returncode == 2 and 'no command "rules statsu"' in unknown.stderr


# ---------------------------------------------------------------- shadows


def shadow_of(daemon):
    return state_of(daemon, "2.0.0")["shadow"] or {}


def test_a_shadow_gives_nothing_and_is_counted(make_daemon, wallet):
    """It would pay more to those who bet 2, and nothing to those who bet 1."""
    pays = {"guards": rulebook.guards(kyc=0)}
    daemon = make_daemon(rules={("live", "1.0.0"): version(
        "1.0.0", "10", milestones=[(10, rulebook.freespins(10))], **pays)})
    upload(daemon, version("2.0.0", "event.payload.bet > 1 and 25 or 0",
                           milestones=[(20, rulebook.freespins(30))], **pays))
    daemon.accept(*[bet(user, 1, ts=noon()) for user in USERS[:10]])
    before = daemon.budget()
    assert command(daemon, "/versions/2.0.0/shadow", {"reason": "warm up"})["state"] == "shadow"
    assert shadow_of(daemon) == {} or shadow_of(daemon)["players"] == 0
    rich, poor = USERS[100:130], USERS[200:250]

    def seen():
        daemon.accept(*[bet("probe", 1, ts=noon())])
        return shadow_of(daemon).get("players", 0) >= 1
    daemon.wait_for(seen)
    probes = daemon.points("probe", "live")
    daemon.accept(*[bet(user, 2, ts=noon()) for user in rich],
                  *[bet(user, 1, ts=noon()) for user in poor])
    daemon.wait_for(lambda: shadow_of(daemon)["players"] == 81)
    found = shadow_of(daemon)
    assert (found["one_player_of"], found["winners"], found["losers"]) == (1, 30, 51), found
    assert found["reward_tasks_would"] == 30 and found["points_would"] == 30 * 25, found
    # The probe's first bets may have come before the switch.
    assert 0 < found["points_got"] - 80 * 10 <= probes and found["reward_tasks_got"] in (80, 81)
    pool, = found["pools"]
    assert pool["pool_id"] == "nov_season" and pool["would"] == "90.00", pool
    assert pool["difference"] == f"{90 - found['reward_tasks_got']:.2f}", pool
    # Nothing of it is real.
    assert {task["origin"]["version"] for task in daemon.tasks()} == {"1.0.0"}
    assert daemon.points(rich[0], "live") == 10 and daemon.points(poor[0], "live") == 10
    after = daemon.budget()
    assert float(before["free"]) - float(after["free"]) == 81.0
    assert "30 would win, 51 would lose" in daemon.ctl("rules", "status", "live").stdout


def test_a_failing_shadow_disturbs_nobody(live):
    upload(live, version("3.0.0", "event.nothing.x + nil"))
    command(live, "/versions/3.0.0/shadow")
    live.wait_for(lambda: versions_of(live, USERS[:20])
                  and state_of(live, "3.0.0")["state"] == "suspended")
    assert set(versions_of(live, USERS[:40]).values()) == {"1.0.0"}
    assert state_of(live, "1.0.0")["state"] == "active"
    assert state_of(live, "1.0.0")["health"]["errors"] == 0


def test_a_shadow_survives_a_restart_and_can_be_activated(live):
    activate(live, "2.0.0", shadow=True)
    live.restart()
    assert state_of(live, "2.0.0")["state"] == "shadow"
    expect_problem(live.post("/v1/rules/live/versions/1.0.0/shadow"), 409)
    expect_problem(live.post("/v1/rules/live/versions/2.0.0/activate",
                             {"shadow": True, "share": 10}), 400, "share")
    activate(live, "2.0.0")
    wait_share(live, 100)


def test_more_events_than_a_rulebook_can_name(make_daemon):
    """A thousand rules on sixteen events each of their own: what has no room is left out, and
    nothing else suffers, over a restart too."""
    daemon = make_daemon(rules={("first", "1.0.0"): rulebook.rule("first")})
    files = [{"name": f"r{no}/1.0.0.lua", "source": rulebook.rule(
        f"r{no}", on=[f"e{no}_{on}_".ljust(60, "x") for on in range(16)])} for no in range(1000)]
    assert daemon.post("/v1/deploys", {"files": files, "reason": "test"}).status == 200
    for _ in range(2):
        daemon.accept(bet("u1", 5))
        assert daemon.points("u1", "first") > 0
        daemon.restart()
    assert daemon.log().count("left out") >= 2, "at the deploy, and at each start"
    daemon.stop()
    daemon.ctl("journal", "verify")
