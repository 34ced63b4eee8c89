"""Rules in event time in a live daemon: players who fall silent, crashes, and what people see."""

import re

import rewardd
import rulebook
from rewardd import noon

RULES = {("after_loss", "1.0.0"): rulebook.rule("after_loss", score=None,
                                                extra=rulebook.AFTER_LOSS)}
BOTH = {**RULES, **rulebook.POINTS}


def window(seconds, more=""):
    return f"ingest {{ reorder_window_s = {seconds} }}\n{more}"


def win_then_loss(user, event_id=""):
    """A loss and a win two seconds later, which arrive the other way round."""
    return (rewardd.bet(user, 1, win=7, ts=noon(1, 2), event_id=f"{user}_win{event_id}"),
            rewardd.bet(user, 1, win=0, ts=noon(1), event_id=f"{user}_loss{event_id}"))


def waiting(daemon):
    return daemon.metric("rewardd_events_waiting")


def test_a_silent_player_is_decided_by_time(make_daemon):
    daemon = make_daemon(rules=BOTH, extra=window(1))
    results = daemon.accept(*win_then_loss("u1"))
    assert all([row["rule_id"] for row in result["points"]] == ["stakes"]
               for result in results)
    daemon.wait_for(lambda: waiting(daemon) == 0)
    assert daemon.player("u1")["points"] == {"stakes": 2, "after_loss": 7}
    assert daemon.metric("rewardd_events_released_total") == 2


def test_more_players_than_memory_holds(make_daemon):
    """All of them wait, and few of them are in memory when their time comes."""
    users = [f"u{number}" for number in range(400)]
    daemon = make_daemon(rules=RULES, extra=window(1), overrides=["engine.hot_player_count_max=64"])
    for user in users:
        daemon.accept(*win_then_loss(user))
    daemon.wait_for(lambda: waiting(daemon) == 0)
    assert daemon.metric("rewardd_players_evicted_total") > 0
    assert all(daemon.points(user, "after_loss") == 7 for user in users)


def test_killed_while_events_wait(make_daemon):
    """What waits goes on waiting in the next process, from the store and from the journal's tail."""
    daemon = make_daemon(rules=RULES, extra=window(3600))
    win, loss = win_then_loss("tail")
    daemon.accept(*win_then_loss("stored"))
    daemon.stop()
    daemon.start()
    assert waiting(daemon) == 2
    daemon.accept(win)
    daemon.kill9()
    daemon.restart()
    assert waiting(daemon) == 3
    daemon.accept(loss)
    assert daemon.post_events([win, loss]).json["duplicates"] == 2
    for user in ("stored", "tail"):
        daemon.accept(rewardd.event("login", user, {}, ts=noon(1, 3603)))
        assert daemon.points(user, "after_loss") == 7
    daemon.kill9()
    daemon.restart()
    assert waiting(daemon) == 0
    assert [daemon.points(user, "after_loss") for user in ("stored", "tail")] == [7, 7]
    daemon.stop()
    daemon.ctl("journal", "verify")


def test_time_goes_on_in_the_next_process(make_daemon):
    """Nobody sends anything any more, before the crash or after it."""
    daemon = make_daemon(rules=RULES, extra=window(2))
    daemon.accept(*win_then_loss("stored"))
    daemon.stop()
    daemon.start()
    daemon.accept(*win_then_loss("tail"))
    daemon.kill9()
    daemon.restart()
    daemon.wait_for(lambda: waiting(daemon) == 0)
    assert [daemon.points(user, "after_loss") for user in ("stored", "tail")] == [7, 7]


def test_a_rebuilt_store_is_the_same(make_daemon):
    """The whole journal again, releases and all, and what waits at its end."""
    daemon = make_daemon(rules=RULES, extra=window(3600))
    for user in range(20):
        daemon.accept(*win_then_loss(f"u{user}"),
                      rewardd.event("login", f"u{user}", {}, ts=noon(1, 3603)))
        daemon.accept(rewardd.bet(f"u{user}", 1, win=0, ts=noon(1, 3604)))
    assert waiting(daemon) == 20
    before = [daemon.player(f"u{user}") for user in range(20)]
    assert all(player["points"] == {"after_loss": 7} for player in before)
    daemon.stop()
    rewardd.database_path(daemon.data).unlink()
    daemon.start()
    assert [daemon.player(f"u{user}") for user in range(20)] == before
    assert waiting(daemon) == 20


def test_people_see_what_waits_and_what_came_of_it(make_daemon):
    daemon = make_daemon(rules=BOTH, extra=window(3600))
    win, loss = win_then_loss("u1")
    daemon.accept(win, loss)
    told = daemon.decision(win["event_id"])
    verdicts = {rule["rule_id"]: rule["verdict"] for rule in told["rules"]}
    assert verdicts == {"after_loss": "waiting", "stakes": "fired"}
    assert told["waits_until"] and told["released"] is None
    text = daemon.ctl("explain", win["event_id"]).stdout
    assert "nothing yet" in text and told["waits_until"] in text
    daemon.accept(rewardd.event("login", "u1", {}, ts=noon(1, 3603)))
    told = daemon.decision(win["event_id"])["released"]
    assert told["cause"] == "order" and told["released_at"]
    assert [(rule["rule_id"], rule["points"]) for rule in told["rules"]] == [("after_loss", 7)]
    text = daemon.ctl("explain", win["event_id"]).stdout
    assert "decided in event time" in text and "+7 points" in text
    history = daemon.listing("/v1/players/u1/decisions")
    assert [item["type"] for item in history] == ["release", "release", "event", "event", "event"]
    assert history[0]["event_id"] == win["event_id"]
    text = daemon.ctl("explain", "--user", "u1").stdout
    assert "+7 points" in text and "nothing yet" in text
    lines = daemon.ctl("journal", "cat", "--event", win["event_id"]).stdout.splitlines()
    assert [re.search(r'"type":"(\w+)"', line)[1] for line in lines] == ["event", "release"]


def test_a_new_version_decides_what_waits(make_daemon):
    """The rules in force at the release decide; a rule that is gone gives nothing."""
    daemon = make_daemon(rules={**RULES, ("gone", "1.0.0"): rulebook.rule(
        "gone", extra='order = "event_time",')}, extra=window(3600))
    daemon.accept(*win_then_loss("u1"))
    daemon.write_rule("after_loss", "1.1.0", rulebook.rule("after_loss", "1.1.0", score="100"))
    for path in ("/v1/rules/after_loss/versions/1.1.0/activate",
                 "/v1/rules/gone/versions/1.0.0/retire"):
        daemon.wait_for(lambda path=path: daemon.post(path, {}).status == 200)
    daemon.accept(rewardd.event("login", "u1", {}, ts=noon(1, 3603)))
    assert daemon.player("u1")["points"] == {"after_loss": 200}
