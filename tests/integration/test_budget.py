"""The hard cap is never exceeded: not by a race, a crash, a retry or an operator."""

import threading

import pytest

import rewardd
import rulebook
from rewardd import cents, check_books, noon

LARGE = {("large", "1.0.0"): rulebook.rule(
    "large", milestones=[(10, rulebook.cash("500.00"))], guards=rulebook.guards())}


def earn(daemon, *users):
    daemon.accept(*[rewardd.kyc(user, ts=noon(1, 0)) for user in users])
    return daemon.accept(*[rewardd.bet(user, 10, ts=noon(1, 1)) for user in users])


def test_shape_and_decimal_strings(paying):
    budget = paying.budget()
    assert set(budget) >= {"pool_id", "currency", "period", "hard_cap", "soft_cap", "reserved",
                           "spent", "free"}
    assert (budget["pool_id"], budget["currency"], budget["period"]) == ("nov_season", "EUR",
                                                                        "season")
    for key in ("hard_cap", "soft_cap", "reserved", "spent", "free"):
        assert isinstance(budget[key], str) and len(budget[key].partition(".")[2]) == 2, key
    assert (budget["hard_cap"], budget["free"]) == ("100000.00", "100000.00")
    rewardd.expect_problem(paying.get("/v1/budgets/no_such_pool"), 404)


def test_put_makes_and_changes_a_pool(paying):
    body = {"currency": "EUR", "period": "day", "hard_cap": "10.00", "soft_cap": "9.00"}
    assert paying.put("/v1/budgets/fresh", body).status in (200, 201)
    assert paying.budget("fresh")["free"] == "10.00"
    paying.restart()
    assert paying.budget("fresh")["period"] == "day", "a command that changes money is journaled"
    for wrong in ({**body, "hard_cap": "-1.00"}, {**body, "hard_cap": "1.001"},
                  {**body, "soft_cap": "11.00"}, {**body, "currency": "XQZ"},
                  {**body, "period": "fortnight"}, {**body, "hard_cap": "1e999"}):
        rewardd.expect_problem(paying.put("/v1/budgets/fresh", wrong), (400, 422))
    assert paying.budget("fresh")["hard_cap"] == "10.00"


def test_hard_cap_under_a_race(make_daemon, wallet):
    """Eight senders, 200 players, room for exactly ten rewards."""
    daemon = make_daemon(rules=rulebook.PAYS, budgets={"nov_season": ("50.00", "50.00")})
    users = [f"u{number}" for number in range(200)]
    daemon.accept(*[rewardd.kyc(user, ts=noon(1, 0)) for user in users])

    def send(mine):
        for user in mine:
            daemon.accept(rewardd.bet(user, 10, ts=noon(1, 1)))

    threads = [threading.Thread(target=send, args=(users[at::8],)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    daemon.wait_settled()
    states = [task["status"] for task in daemon.tasks()]
    assert states.count("succeeded") == 10 and states.count("denied") == 190
    assert all("budget" in task["reason"] for task in daemon.tasks(status="denied"))
    assert daemon.budget()["free"] == "0.00" and wallet.total("cash") == 50
    check_books(daemon, wallet)


def test_hard_cap_survives_a_crash(make_daemon, wallet):
    daemon = make_daemon(rules=rulebook.PAYS, budgets={"nov_season": ("15.00", "15.00")})
    earn(daemon, "a", "b")
    daemon.kill9()
    daemon.restart()
    earn(daemon, "c", "d")
    daemon.wait_settled()
    assert sorted(task["status"] for task in daemon.tasks()) == ["denied"] + ["succeeded"] * 3
    check_books(daemon, wallet)


def test_a_voided_reservation_is_free_again(make_daemon, wallet):
    daemon = make_daemon(rules=rulebook.PAYS, budgets={"nov_season": ("5.00", "5.00")})
    wallet.always("status", status=404)
    earn(daemon, "a")
    daemon.wait_task("failed", user_id="a")
    assert daemon.budget()["free"] == "5.00"
    wallet.always()
    earn(daemon, "b")
    daemon.wait_task("succeeded", user_id="b")
    assert daemon.budget()["spent"] == "5.00"
    check_books(daemon, wallet)


def test_lowering_the_cap_below_what_is_spent(make_daemon, wallet):
    """Nothing is taken back, and nothing more is given."""
    daemon = make_daemon(rules=rulebook.PAYS)
    earn(daemon, "a", "b")
    daemon.wait_settled()
    answer = daemon.put("/v1/budgets/nov_season", {"currency": "EUR", "period": "season",
                                                   "hard_cap": "7.00", "soft_cap": "7.00"})
    if answer.status == 200:
        earn(daemon, "c")
        assert daemon.wait_task("denied", user_id="c")
        assert cents(daemon.budget()["spent"]) == 1000
    else:
        rewardd.expect_problem(answer, (409, 422))
        assert daemon.budget()["hard_cap"] == "100000.00"


@pytest.fixture
def reviewing(make_daemon):
    """Soft cap already behind us after the first large reward."""
    daemon = make_daemon(rules=LARGE, budgets={"nov_season": ("5000.00", "400.00")})
    earn(daemon, "held")
    return daemon


def test_large_above_the_soft_cap_is_held_for_review(reviewing, wallet):
    task = reviewing.wait_task("held", user_id="held")
    assert "kyc" not in task["reason"]
    assert reviewing.budget()["reserved"] == "500.00"
    assert wallet.request_count == 0


def test_approve_pays(reviewing, wallet):
    task = reviewing.wait_task("held", user_id="held")
    path = f"/v1/reward-tasks/{task['reward_task_id']}"
    answer = reviewing.post(path + "/approve", {"reason": "looked at it"})
    assert answer.status == 200 and answer.json["reward_task_id"] == task["reward_task_id"]
    reviewing.wait_task("succeeded", user_id="held")
    for action in ("/approve", "/reject"):
        rewardd.expect_problem(reviewing.post(path + action, {"reason": "again"}), 409)
    assert wallet.total("cash", "held") == 500
    check_books(reviewing, wallet)


def test_reject_gives_the_money_back(reviewing, wallet):
    task = reviewing.wait_task("held", user_id="held")
    path = f"/v1/reward-tasks/{task['reward_task_id']}"
    for blank in ({}, {"reason": ""}, {"reason": " \t\n"}):
        rewardd.expect_problem(reviewing.post(path + "/reject", blank), 400, "reason")
    assert reviewing.post(path + "/reject", {"reason": "a bot"}).status == 200
    reviewing.wait_task(("cancelled", "denied"), user_id="held")
    assert reviewing.budget()["reserved"] == "0.00"
    rewardd.expect_problem(reviewing.post(path + "/approve", {"reason": "oh"}), 409)
    reviewing.restart()
    assert reviewing.tasks(user_id="held")[0]["status"] in ("cancelled", "denied")
    assert wallet.request_count == 0
    check_books(reviewing, wallet)


def test_an_approved_task_still_meets_the_gates(reviewing, wallet):
    """A person lifts the review, not the law; and is not asked twice."""
    task = reviewing.wait_task("held", user_id="held")
    reviewing.accept(rewardd.rg("held", "self_exclusion", ts=noon(1, 5)))
    reviewing.post(f"/v1/reward-tasks/{task['reward_task_id']}/approve", {"reason": "fine"})
    reviewing.wait_for(lambda: reviewing.tasks(user_id="held")[0]["reason"] == "self_excluded")
    assert wallet.request_count == 0
    reviewing.restart()
    reviewing.accept(rewardd.rg("held", "lifted", ts=noon(1, 6)))
    reviewing.wait_task("succeeded", user_id="held")
    assert wallet.total("cash", "held") == 500
    check_books(reviewing, wallet)


def test_a_rule_that_pays_without_a_pool_does_not_load(make_daemon):
    daemon = make_daemon(rules={("free", "1.0.0"): rulebook.rule(
        "free", milestones=[(10, rulebook.cash("5.00"))], guards="{ kyc_min_level = 2 }"),
        **rulebook.POINTS})
    earn(daemon, "u1")
    assert daemon.tasks() == [] and daemon.points("u1", "stakes") == 10
    assert "free/1.0.0.lua" in daemon.get("/v1/rules").body.decode()


def test_a_hold_for_kyc_does_not_swallow_the_review(make_daemon, wallet):
    """Large and above the soft cap: whatever held it first, a person decides before it is paid."""
    daemon = make_daemon(budgets={"nov_season": ("100.00", "50.00")}, rules={
        ("big", "1.0.0"): rulebook.rule("big", milestones=[(10, rulebook.cash("60.00"))],
                                        guards=rulebook.guards())})
    daemon.accept(rewardd.bet("u1", 10))
    assert daemon.wait_task("held", user_id="u1")["reason"] == "kyc_level"
    daemon.accept(rewardd.kyc("u1", 2))
    daemon.wait_for(lambda: daemon.tasks(user_id="u1")[0]["reason"] == "budget_review"
                    or daemon.tasks(user_id="u1")[0]["status"] == "succeeded")
    task = daemon.wait_task("held", user_id="u1")
    daemon.restart()
    task_id = task["reward_task_id"]
    answer = daemon.post(f"/v1/reward-tasks/{task_id}/approve", {"reason": "checked"})
    assert answer.status == 200, answer
    daemon.wait_task("succeeded", user_id="u1")
    check_books(daemon, wallet)
