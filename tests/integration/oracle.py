"""What rewardd must come to, worked out a second time by other means.

Written from the contract alone, in Python, with nothing shared with the engine: floor of the score,
caps clipped in the order per_event, per_minute, per_hour, per_day in UTC buckets of the event time,
rows only above zero, each milestone once per (user, rule, at), each (user, event_id) once, and
nothing from further behind a player's newest event than the dedupe window.

Scores are IEEE doubles in the engine's Lua, so they are Python floats here; all else is integers.
"""

import dataclasses
import datetime
import math

CAPS = (("per_minute", 60), ("per_hour", 3600), ("per_day", 86400))
POINTS_MAX = 10**9
WINDOW_S = 72 * 3600


def seconds(text):
    """Unix seconds of an RFC 3339 time."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@dataclasses.dataclass(frozen=True)
class Milestone:
    at: int
    cost_minor: int = 0
    reward: object = None


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule; score and when take the event as a dict and compute what the Lua does."""

    id: str
    score: object
    on: tuple = ("bet",)
    when: object = None
    active: tuple = ("0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z")
    geo: tuple = ()
    platform: tuple = ()
    caps: dict = dataclasses.field(default_factory=dict)
    milestones: tuple = ()
    pool: str = "nov_season"

    def counts(self, event):
        """Whether the event counts for the rule (fallbacks to the last known are not modelled)."""
        if event["event_name"] not in self.on:
            return False
        if not seconds(self.active[0]) <= seconds(event["ts"]) < seconds(self.active[1]):
            return False
        if self.geo and event["user"].get("geo") not in self.geo:
            return False
        if self.platform and event["user"].get("platform") not in self.platform:
            return False
        return self.when is None or bool(self.when(event))


class Player:
    def __init__(self):
        self.seen = set()
        self.newest = -math.inf
        self.points = {}       # rule id -> total
        self.milestones = {}   # rule id -> [at] in the order of firing
        self.used = {}         # (rule id, cap name, bucket) -> points


@dataclasses.dataclass(frozen=True)
class Task:
    user: str
    rule: str
    at: int
    cost_minor: int
    pool: str


class Oracle:
    def __init__(self, rules):
        self.rules = list(rules)
        self.players = {}
        self.tasks = []
        self.rows = 0
        self.rule_errors = 0

    def feed(self, event):
        """accepted, duplicate or late; the event's points by rule are in self.last."""
        self.last = {}
        user, at = event["user"]["id"], seconds(event["ts"])
        player = self.players.setdefault(user, Player())
        if at < player.newest - WINDOW_S:
            return "late"
        if event["event_id"] in player.seen:
            return "duplicate"
        player.seen.add(event["event_id"])
        player.newest = max(player.newest, at)
        for rule in self.rules:
            if rule.counts(event):
                self._score(player, user, rule, event, int(at // 1))
        return "accepted"

    def _score(self, player, user, rule, event, at):
        score = float(rule.score(event))
        if not math.isfinite(score) or not 0 <= math.floor(score) <= POINTS_MAX:
            self.rule_errors += 1
            return
        points = min(math.floor(score), rule.caps.get("per_event", POINTS_MAX))
        buckets = [(rule.id, name, at // size) for name, size in CAPS if name in rule.caps]
        for bucket in buckets:
            points = min(points, rule.caps[bucket[1]] - player.used.get(bucket, 0))
        if points <= 0:
            return
        for bucket in buckets:
            player.used[bucket] = player.used.get(bucket, 0) + points
        total = player.points[rule.id] = player.points.get(rule.id, 0) + points
        self.rows += 1
        self.last[rule.id] = points
        fired = player.milestones.setdefault(rule.id, [])
        for milestone in sorted(rule.milestones, key=lambda one: one.at):
            if total >= milestone.at and milestone.at not in fired:
                fired.append(milestone.at)
                self.tasks.append(Task(user, rule.id, milestone.at, milestone.cost_minor,
                                       rule.pool))

    def feed_all(self, events):
        for event in events:
            self.feed(event)
        return self

    # -------- the answers a daemon is compared with

    def points(self, user):
        return dict(self.players[user].points)

    def milestones(self, user):
        return {rule: sorted(fired) for rule, fired in self.players[user].milestones.items()
                if fired}

    def task_keys(self):
        return sorted((task.user, task.rule, task.at, task.cost_minor) for task in self.tasks)

    def cost(self, pool):
        return sum(task.cost_minor for task in self.tasks if task.pool == pool)
