"""A rule that kills the process: found in flight at two crashes, it rests at the third start."""

import signal

import pytest

import rewardd
import rulebook
import senders
from rewardd import bet, event, noon

# Asked about logins alone, so a test chooses when it is in flight.
FATAL = rulebook.rule("fatal", on=("login",), score="1")
RULES = {("fatal", "1.0.0"): FATAL, **rulebook.POINTS}


def login(user):
    return event("login", user, {}, ts=noon())


def die_in_the_rule(daemon, user):
    """Sends what the fault waits for; the answer never comes."""
    with pytest.raises(rewardd.Gone):
        daemon.accept(login(user))
    assert daemon.wait_death() == -signal.SIGABRT


def state_of(daemon, rule_id, version="1.0.0"):
    answer = daemon.get(f"/v1/rules/{rule_id}")
    assert answer.status == 200, answer
    return next(one["state"] for one in answer.json["versions"] if one["version"] == version)


def test_two_crashes_quarantine_the_rule(make_daemon, faults):
    daemon = make_daemon(rules=RULES, fault="script.crash:error:1")
    die_in_the_rule(daemon, "u1")
    daemon.restart(fault="script.crash:error:1")
    assert state_of(daemon, "fatal") == "active", "one crash is no habit"
    die_in_the_rule(daemon, "u2")

    # The fault is still there: it would strike again, were the rule asked.
    daemon.restart(fault="script.crash:error:1")
    assert state_of(daemon, "fatal") == "suspended"
    assert "ALERT: quarantined" in daemon.log()
    one = login("u3")
    result, = daemon.accept(one)
    assert result["points"] == []
    assert "suspended" in str(daemon.decision(one["event_id"]))

    # Without it the others count, and the quarantine is a fact of the journal.
    daemon.restart()
    assert state_of(daemon, "fatal") == "suspended"
    daemon.accept(bet("u1", 3, ts=noon()))
    assert daemon.points("u1", "stakes") == 3
    daemon.stop()
    told = daemon.ctl("journal", "cat").stdout
    assert '"quarantine"' in told and "the process died twice within ten minutes" in told


def test_an_activated_rule_comes_out_of_quarantine(make_daemon, faults):
    daemon = make_daemon(rules=RULES, fault="script.crash:error:1")
    die_in_the_rule(daemon, "u1")
    daemon.restart(fault="script.crash:error:1")
    die_in_the_rule(daemon, "u1")
    daemon.restart()
    assert state_of(daemon, "fatal") == "suspended"
    answer = daemon.post("/v1/rules/fatal/versions/1.0.0/activate", {"share": 100})
    assert answer.status == 200, answer
    daemon.accept(login("u1"))
    assert daemon.points("u1", "fatal") == 1
    daemon.restart()
    assert state_of(daemon, "fatal") == "active", "old crashes are settled"


def test_a_kill_from_outside_blames_nobody(make_daemon):
    """kill -9 again and again, in the middle of the rules as often as not."""
    daemon = make_daemon(rules=senders.RULES)
    load = senders.Senders(count=3)
    for _ in range(4):
        before = load.steps
        load.start(daemon)
        load.wait_steps(before + 10)
        daemon.kill9()
        load.stop()
        daemon.restart()
    assert state_of(daemon, "often") == "active"
    assert "quarantined" not in daemon.log()
    load.finish(daemon)
    load.compare(daemon)
