"""Regulation beats promotion: postponed, not lost, and never paid meanwhile."""

import datetime

import pytest

import rewardd
import rulebook
from rewardd import check_books, noon


def earn(daemon, user="u1", level=2, at=1, **more):
    if level is not None:
        daemon.accept(rewardd.kyc(user, level, ts=noon(1, 0), **more))
    result, = daemon.accept(rewardd.bet(user, 10, ts=noon(1, at), **more))
    return result


def test_without_kyc_held_then_paid_once(paying, wallet):
    result = earn(paying, level=None)
    assert len(result["reward_tasks"]) == 1
    task = paying.wait_task("held", user_id="u1")
    assert "kyc" in task["reason"]
    assert rewardd.cents(paying.budget()["reserved"]) == 500
    paying.accept(rewardd.kyc("u1", 1, ts=noon(1, 10)))
    assert paying.player("u1")["kyc_level"] == 1
    assert paying.wait_task("held", user_id="u1")
    paying.accept(rewardd.kyc("u1", 2, ts=noon(1, 20)))
    paying.wait_task("succeeded", user_id="u1")
    assert wallet.request_count == 1 and wallet.total("cash", "u1") == 5
    check_books(paying, wallet)


def test_default_levels_by_kind(make_daemon, wallet):
    """Where the rule names a lower level, cash still needs 2; free spins are content with 1."""
    daemon = make_daemon(rules={("spins", "1.0.0"): rulebook.rule(
        "spins", milestones=[(10, rulebook.freespins(5))],
        guards='{ rg = true, budget = "nov_season" }')})
    earn(daemon, "none", level=None)
    earn(daemon, "one", level=1)
    assert "kyc" in daemon.wait_task("held", user_id="none")["reason"]
    daemon.wait_task("succeeded", user_id="one")
    check_books(daemon, wallet)


@pytest.mark.parametrize("kind, field", [("self_exclusion", "self_excluded"),
                                         ("cool_off", "cool_off_until"),
                                         ("deposit_limit_reached", "deposit_limit_reached")])
def test_protected_players_wait_until_lifted(paying, wallet, kind, field):
    until = rewardd.now(30 * 86400)
    paying.accept(rewardd.kyc("u1", ts=noon(1, 0)), rewardd.rg("u1", kind, until, ts=noon(1, 1)))
    assert paying.player("u1")["rg"][field]
    earn(paying, level=None, at=2)
    task = paying.wait_task("held", user_id="u1")
    assert "kyc" not in task["reason"], "RG comes before KYC"
    assert wallet.request_count == 0
    paying.accept(rewardd.rg("u1", "lifted", ts=noon(1, 3)))
    paying.wait_task("succeeded", user_id="u1")
    assert not paying.player("u1")["rg"][field]
    assert wallet.request_count == 1
    check_books(paying, wallet)


def test_a_cool_off_ends_by_itself(paying, wallet):
    """Time lifts it, without an event: a journaled tick does."""
    paying.accept(rewardd.kyc("u1", ts=rewardd.now(-2)),
                  rewardd.rg("u1", "cool_off", rewardd.now(3), ts=rewardd.now(-1)))
    paying.accept(rewardd.bet("u1", 10, ts=rewardd.now()))
    paying.wait_task("held", user_id="u1")
    paying.wait_task("succeeded", user_id="u1", timeout=60)
    check_books(paying, wallet)


def test_rg_stop_is_named_before_kyc(paying, wallet):
    paying.accept(rewardd.rg("u1", "self_exclusion", ts=noon(1, 0)))
    earn(paying, level=None)
    first = paying.wait_task("held", user_id="u1")["reason"]
    assert "kyc" not in first
    paying.accept(rewardd.rg("u1", "lifted", ts=noon(1, 5)))
    paying.wait_for(lambda: "kyc" in paying.tasks(user_id="u1")[0]["reason"])
    paying.accept(rewardd.kyc("u1", 2, ts=noon(1, 6)))
    paying.wait_task("succeeded", user_id="u1")
    check_books(paying, wallet)


def test_excluded_between_decision_and_send(paying, wallet):
    """The gate is asked again just before delivery: this retry must not leave the house."""
    wallet.always("status", status=503, retry_after=1)
    task_id, = earn(paying)["reward_tasks"]
    wallet.wait_for(lambda one: one.request_count >= 1)
    paying.accept(rewardd.rg("u1", "self_exclusion", ts=noon(1, 5)))
    wallet.always()
    paying.wait_task("held", user_id="u1", timeout=30)
    assert wallet.payouts() == {}
    paying.restart()
    assert paying.wait_task("held", user_id="u1")["reward_task_id"] == task_id
    paying.accept(rewardd.rg("u1", "lifted", ts=noon(1, 6)))
    paying.wait_task("succeeded", user_id="u1")
    assert list(wallet.payouts()) == [task_id]
    check_books(paying, wallet)


def test_unknown_geo_is_denied(paying, wallet):
    """Nobody knows which law holds, so the answer is no; and no again after a geo is known."""
    earn(paying, geo=None)
    task = paying.wait_task("denied", user_id="u1")
    assert "geo" in task["reason"]
    assert rewardd.cents(paying.budget()["reserved"]) == 0
    paying.accept(rewardd.bet("u1", 1, ts=noon(1, 9)))
    assert paying.tasks(user_id="u1")[0]["status"] == "denied"
    check_books(paying, wallet)


def test_geo_of_the_guard(make_daemon, wallet):
    daemon = make_daemon(rules={("pays", "1.0.0"): rulebook.rule(
        "pays", milestones=[(10, rulebook.cash("5.00"))],
        guards='{ kyc_min_level = 2, rg = true, budget = "nov_season", geo = { "TR", "BR" } }')})
    earn(daemon, "in_tr", geo="TR")
    earn(daemon, "in_de", geo="DE")
    daemon.wait_task("succeeded", user_id="in_tr")
    assert "geo" in daemon.wait_task("denied", user_id="in_de")["reason"]
    check_books(daemon, wallet)


def test_geo_of_the_guard_is_asked_again_just_before_delivery(make_daemon, wallet):
    """The player was at home when the reward was earned, held for KYC, and has moved since."""
    daemon = make_daemon(rules={("pays", "1.0.0"): rulebook.rule(
        "pays", milestones=[(10, rulebook.cash("5.00"))],
        guards='{ kyc_min_level = 2, rg = true, budget = "nov_season", geo = { "TR", "BR" } }')})
    for user in ("stays", "moves"):
        earn(daemon, user, level=None, geo="TR")
        assert "kyc" in daemon.wait_task("held", user_id=user)["reason"]
    daemon.restart()
    daemon.accept(rewardd.bet("moves", 0.1, ts=noon(1, 5), geo="DE"))
    daemon.accept(*(rewardd.kyc(user, 2, ts=noon(1, 6), geo=None) for user in ("stays", "moves")))
    daemon.wait_task("succeeded", user_id="stays")
    assert daemon.wait_task("denied", user_id="moves")["reason"] == "geo_not_allowed"
    assert rewardd.cents(daemon.budget()["reserved"]) == 0
    assert wallet.total("cash", "moves") == 0
    check_books(daemon, wallet)


def test_geo_and_platform_are_those_of_the_newest_event(daemon):
    """By event time, not by arrival; a field left out falls back to the last known."""
    daemon.accept(rewardd.bet("u1", 1, ts=noon(1, 50), geo="BR"))
    daemon.accept(rewardd.bet("u1", 1, ts=noon(1, 10), geo="TR"))
    assert daemon.player("u1")["geo"] == "BR"
    daemon.accept(rewardd.bet("u1", 1, ts=noon(1, 60), geo=None))
    assert daemon.player("u1")["geo"] == "BR"


def test_a_late_kyc_event_does_not_undo_a_newer_one(daemon):
    daemon.accept(rewardd.kyc("u1", 3, ts=noon(1, 50)))
    daemon.accept(rewardd.kyc("u1", 1, ts=noon(1, 10)))
    assert daemon.player("u1")["kyc_level"] == 3


def test_the_level_may_fall_before_the_payment(paying, wallet):
    wallet.always("status", status=503, retry_after=1)
    earn(paying)
    wallet.wait_for(lambda one: one.request_count >= 1)
    paying.accept(rewardd.kyc("u1", 0, ts=noon(1, 5)))
    wallet.always()
    assert "kyc" in paying.wait_task("held", user_id="u1", timeout=30)["reason"]
    check_books(paying, wallet)


def test_self_exclusion_with_an_end_in_the_past_holds_nothing(paying, wallet):
    past = rewardd.rfc3339(datetime.datetime.now(datetime.timezone.utc)
                           - datetime.timedelta(hours=1))
    paying.accept(rewardd.rg("u1", "cool_off", past, ts=noon(1, 0)))
    earn(paying)
    paying.wait_task("succeeded", user_id="u1")
    check_books(paying, wallet)


@pytest.mark.parametrize("first,second", [("self_exclusion", "cool_off"),
                                          ("cool_off", "self_exclusion"),
                                          ("self_exclusion", "deposit_limit_reached")])
def test_a_late_exclusion_is_not_undone_by_a_newer_one_of_another_kind(
        paying, wallet, first, second):
    """In whatever order they arrive, each exclusion holds until its own end or a newer lift."""
    over = noon(1, 5)
    early = rewardd.rg("u1", first, None if first == "self_exclusion" else over, ts=noon(1, 1))
    late = rewardd.rg("u1", second, None if second == "self_exclusion" else over, ts=noon(1, 2))
    paying.accept(late)
    paying.accept(early)
    assert paying.player("u1")["rg"]["self_excluded"]
    earn(paying)
    assert paying.wait_task("held", user_id="u1")["reason"] == "self_excluded"
    paying.accept(rewardd.rg("u1", "lifted", ts=noon(1, 40)))
    paying.accept(rewardd.rg("u1", "self_exclusion", ts=noon(1, 30)))
    paying.wait_task("succeeded", user_id="u1")
    check_books(paying, wallet)


def test_what_may_be_paid_is_held_when_the_country_is_no_longer_allowed(make_daemon, wallet):
    """The partner paid and its answer was lost: to deny the retry would give the money back."""
    daemon = make_daemon(rules=rulebook.PAYS, retry_base_ms=5000, retry_max_ms=5000,
                         timeout_ms=300, overrides=["gates.geo_allowed=TR"])
    wallet.always("hang", pay=True)
    earn(daemon, "u1")
    daemon.wait_for(lambda: daemon.tasks(user_id="u1")[0]["status"] == "pending"
                    and daemon.tasks(user_id="u1")[0]["attempts"] >= 1)
    daemon.accept(rewardd.bet("u1", 0.1, ts=noon(1, 9), geo="DE"))
    wallet.always()
    wallet.release()
    assert "geo" in daemon.wait_task("held", user_id="u1")["reason"]
    assert len(wallet.payouts()) == 1
    assert rewardd.cents(daemon.budget()["reserved"]) == 500
    daemon.accept(rewardd.bet("u1", 0.1, ts=noon(1, 10), geo="TR"))
    task_id = daemon.tasks(user_id="u1")[0]["reward_task_id"]
    assert daemon.post(f"/v1/reward-tasks/{task_id}/approve", {"reason": "back"}).status == 200
    daemon.wait_task("succeeded", user_id="u1")
    check_books(daemon, wallet)
