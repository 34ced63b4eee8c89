"""The oracle itself: worked by hand where it matters, against a closed form where it can be."""

import random

from oracle import Milestone, Oracle, Rule


def event(event_id, amount, ts, user="u", win=0, name="bet"):
    return {"event_id": event_id, "event_name": name, "ts": ts,
            "user": {"id": user, "geo": "TR", "platform": "ios"},
            "payload": {"bet": amount, "win": win}}


def stake(one):
    return one["payload"]["bet"]


def test_floor_and_doubles():
    """0.3/0.1*3 is 8.999999999999998 in doubles: 8 points, as in Lua, and not 9."""
    oracle = Oracle([Rule("r", lambda one: one["payload"]["win"] / one["payload"]["bet"] * 3)])
    oracle.feed(event("1", 0.1, "2021-11-01T00:00:00Z", win=0.3))
    assert oracle.points("u") == {"r": 8}


def test_caps_clip_in_order_and_by_bucket():
    rule = Rule("r", stake, caps={"per_event": 50, "per_minute": 80, "per_hour": 100,
                                  "per_day": 140})
    oracle = Oracle([rule])
    got = []
    for number, (amount, ts) in enumerate([
            (70, "2021-11-01T10:00:00Z"),     # 50: per event
            (50, "2021-11-01T10:00:59Z"),     # 30: the minute has 30 left
            (50, "2021-11-01T10:01:00Z"),     # 20: a new minute, the hour has 20 left
            (50, "2021-11-01T10:59:59Z"),     # nothing left in the hour: no row
            (50, "2021-11-01T11:00:00Z"),     # 40: a new hour, the day has 40 left
            (50, "2021-11-02T00:00:00Z")]):   # 50: a new day
        oracle.feed(event(str(number), amount, ts))
        got.append(oracle.last.get("r"))
    assert got == [50, 30, 20, None, 40, 50]
    assert oracle.rows == 5


def test_milestones_fire_once_and_in_order():
    rule = Rule("r", stake, milestones=(Milestone(300, 200), Milestone(100, 100)))
    oracle = Oracle([rule])
    oracle.feed(event("1", 99.9, "2021-11-01T10:00:00Z"))
    assert oracle.task_keys() == []
    oracle.feed(event("2", 500, "2021-11-01T10:00:00Z"))
    oracle.feed(event("3", 500, "2021-11-01T10:00:00Z"))
    assert oracle.players["u"].milestones == {"r": [100, 300]}
    assert oracle.task_keys() == [("u", "r", 100, 100), ("u", "r", 300, 200)]
    assert oracle.cost("nov_season") == 300


def test_bad_scores_are_errors_and_nothing_else():
    for score in (float("nan"), float("inf"), -0.5, 1e9 + 1):
        oracle = Oracle([Rule("bad", lambda one, value=score: value), Rule("good", stake)])
        assert oracle.feed(event("1", 2, "2021-11-01T10:00:00Z")) == "accepted"
        assert oracle.points("u") == {"good": 2} and oracle.rule_errors == 1
    assert Oracle([Rule("r", lambda one: 1e9 + 0.5)]).feed_all(
        [event("1", 2, "2021-11-01T10:00:00Z")]).points("u") == {"r": 10**9}


def test_where_active_and_names():
    rule = Rule("r", stake, active=("2021-11-01T00:00:00Z", "2021-12-01T00:00:00Z"),
                platform=("ios",), geo=("TR", "BR"), when=lambda one: one["payload"]["bet"] >= 0.2)
    oracle = Oracle([rule])
    yes = event("1", 5, "2021-11-01T00:00:00Z")
    no = [event("2", 5, "2021-10-31T23:59:59Z"), event("3", 5, "2021-12-01T00:00:00Z"),
          event("4", 0.1, "2021-11-02T00:00:00Z"),
          event("5", 5, "2021-11-02T00:00:00Z", name="win")]
    no.append(dict(event("6", 5, "2021-11-02T00:00:00Z"), user={"id": "u", "platform": "android",
                                                              "geo": "TR"}))
    no.append(dict(event("7", 5, "2021-11-02T00:00:00Z"), user={"id": "u", "platform": "ios"}))
    oracle.feed_all([yes] + no)
    assert oracle.points("u") == {"r": 5}


def test_duplicates_and_late():
    oracle = Oracle([Rule("r", stake)])
    first = event("1", 5, "2021-11-01T00:00:00Z")
    assert oracle.feed(first) == "accepted"
    assert oracle.feed(first) == "duplicate"
    assert oracle.feed(event("1", 5, "2021-11-01T00:00:00Z", user="other")) == "accepted"
    assert oracle.feed(event("2", 5, "2021-11-04T00:00:01Z")) == "accepted"
    assert oracle.feed(first) == "late"
    assert oracle.feed(event("3", 5, "2021-11-01T00:00:01Z")) == "accepted"
    assert oracle.points("u") == {"r": 15}


def test_any_order_and_repetition_and_the_closed_form():
    """Buckets nest, so the total is min over the day of the hours of the minutes, in any order."""
    caps = {"per_event": 9, "per_minute": 20, "per_hour": 70, "per_day": 300}
    rule = Rule("r", stake, caps=caps, milestones=tuple(Milestone(at, at) for at in (50, 200, 400)))
    chance = random.Random(7)
    events = []
    for number in range(2000):
        day, rest = divmod(chance.randrange(3 * 86400), 86400)
        ts = f"2021-11-0{1 + day}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}Z"
        events.append(event(str(number), chance.randrange(14), ts))
    minutes = {}
    for one in events:
        minute = one["ts"][:16]
        minutes[minute] = minutes.get(minute, 0) + min(caps["per_event"], stake(one))
    hours, days = {}, {}
    for minute, points in minutes.items():
        hours[minute[:13]] = hours.get(minute[:13], 0) + min(caps["per_minute"], points)
    for hour, points in hours.items():
        days[hour[:10]] = days.get(hour[:10], 0) + min(caps["per_hour"], points)
    expected = sum(min(caps["per_day"], points) for points in days.values())
    for _ in range(5):
        oracle = Oracle([rule]).feed_all(chance.sample(events + events, len(events) * 2))
        assert oracle.points("u") == {"r": expected}
        assert oracle.milestones("u") == {"r": [at for at in (50, 200, 400) if at <= expected]}
