"""The cookbook of docs/rules.md in a real daemon: every recipe is taken in, tested and active."""

import subprocess

import pytest

import rewardd
from rewardd import bet, event, noon

FOLDER = rewardd.REPOSITORY / "docs" / "recipes"


def recipes():
    return {(str(path.parent.relative_to(FOLDER)), path.stem): path.read_text()
            for path in FOLDER.glob("**/*.lua") if not path.name.endswith("_test.lua")}


def test_every_recipe_loads_and_its_tests_pass(built):
    tool = rewardd.binary("rewardctl")
    assert tool, "rewardctl is not built"
    done = subprocess.run([str(tool), "rules", "check", str(FOLDER)], capture_output=True,
                          text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no tests" not in done.stdout
    passed = int(done.stdout.strip().split("\n")[-1].split()[0])
    assert passed >= 3 * len(recipes()), "each has tests"


def test_a_daemon_takes_them_all(make_daemon):
    daemon = make_daemon(rules=recipes())
    listed = daemon.get("/v1/rules").json
    assert listed["errors"] == []
    states = {rule["rule_id"]: [one["state"] for one in rule["versions"]]
              for rule in listed["items"]}
    assert states == {rule_id: ["active"] for rule_id, _ in recipes()}
    # Some of them at work, beside one another.
    daemon.accept(bet("u1", 10, ts=noon()), event("login", "u1", {}, ts=noon(1, 1)),
                  event("spin", "u1", {"game_id": "slot_wolf", "bet": 1, "win": 5}, ts=noon(1, 2)),
                  event("purchase", "u1", {"amount": "12.00", "currency": "EUR"}, ts=noon(1, 3)))
    assert daemon.points("u1", "stake_points") == 10
    assert daemon.points("u1", "win_multiple") == 5
    assert daemon.points("u1", "purchase_tiers") == 12
    assert daemon.metric("rewardd_rule_errors_total") == 0


@pytest.mark.parametrize("points, tier", [(500, None), (1500, "tier_silver")])
def test_a_tier_follows_from_another_rules_points(make_daemon, points, tier):
    """The one recipe whose test file cannot show it: it reads the points of a rule beside it."""
    rules = {key: text for key, text in recipes().items()
             if key[0] in ("stake_points", "loyalty_tier")}
    daemon = make_daemon(rules=rules)
    for day in range(points // 500):
        daemon.accept(*[bet("u1", 20, ts=noon(20 - day, number)) for number in range(25)])
    assert daemon.points("u1", "stake_points") == points
    daemon.accept(event("login", "u1", {}, ts=noon()), event("login", "u1", {}, ts=noon(1, 1)))
    daemon.wait_settled()
    assert [task["reward"].get("name") for task in daemon.tasks()] == ([tier] if tier else [])
