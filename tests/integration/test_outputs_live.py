"""What rules hand over is looked at: nonsense is a rule error, nothing is reserved or paid."""

import pytest

import rulebook
from rewardd import bet, cents, kyc, noon

GUARDS = 'guards = { kyc_min_level = 1, rg = true, budget = "nov_season" },'


def score(expression):
    return f"score = function(event, player) return {expression} end,"


def grant(expression):
    return f"grant = function(event, player, state) return {expression} end, {GUARDS}"


FIVE = "'5.00'"


def milestone(at, reward):
    return f"{score(1)} milestones = {{ {{ at = {at}, reward = {reward} }} }}, {GUARDS}"


def cash(amount, currency="EUR"):
    return f'cash {{ amount = {amount}, currency = "{currency}" }}'


# Name: the fields of a rule that must come to nothing, refused at load or failing when it is asked.
OUTPUTS = {
    "score_nan": score("0 / 0"),
    "score_inf": score("1 / 0"),
    "score_negative": score("-1"),
    "score_1e300": score("1e300"),
    "score_text": score('"12"'),
    "score_nil": score("nil"),
    "score_table": score("{ 12 }"),
    "grant_number": grant("5"),
    "grant_text": grant('"cash"'),
    "grant_true": grant("true"),
    "grant_unknown_kind": grant('{ kind = "yacht", amount = "5.00", currency = "EUR" }'),
    "grant_unknown_name": grant("yacht { feet = 80 }"),
    "grant_ten_thousand": "grant = function() local all = {} for i = 1, 10000 do "
                          f"all[i] = {cash(FIVE)} end return all end, {GUARDS}",
    "grant_list": grant("{ " + cash(FIVE) + ", " + cash(FIVE) + " }"),
    "cash_number": grant(cash("5")),
    "cash_nan": grant(cash("0 / 0")),
    "cash_nan_text": grant(cash("'nan'")),
    "cash_inf_text": grant(cash("'inf'")),
    "cash_negative": grant(cash("'-5.00'")),
    "cash_zero": grant(cash("'0.00'")),
    "cash_half_a_cent": grant(cash("'0.005'")),
    "cash_1e300": grant(cash("'1e300'")),
    "cash_past_int64": grant(cash("'99999999999999999999.00'")),
    "cash_other_currency": grant(cash(FIVE, "USD")),
    "cash_no_currency": grant(cash(FIVE, "EURO")),
    "spins_negative": grant('freespins { count = -1, game = "g" }'),
    "spins_nan": grant('freespins { count = 0 / 0, game = "g" }'),
    "spins_half": grant('freespins { count = 1.5, game = "g" }'),
    "spins_text": grant('freespins { count = "5", game = "g" }'),
    "spins_1e300": grant('freespins { count = 1e300, game = "g" }'),
    "spins_other_currency": grant('freespins { count = 1, game = "g", cost = "1.00", '
                                  'currency = "USD" }'),
    "milestone_nan": milestone("0 / 0", cash(FIVE)),
    "milestone_negative": milestone("-1", cash(FIVE)),
    "milestone_half": milestone("0.5", cash(FIVE)),
    "milestone_half_a_cent": milestone("1", cash("'0.005'")),
    "milestone_other_currency": milestone("1", cash(FIVE, "USD")),
    "milestone_unknown_kind": milestone("1", '{ kind = "yacht" }'),
    "milestone_ten_thousand": f"{score(1)} milestones = (function() local all = {{}} "
                              "for i = 1, 10000 do all[i] = { at = i, reward = badge "
                              f"{{ name = 'b' }} }} end return all end)(), {GUARDS}",
}


def source(name, fields):
    return f"""return rule {{
  id = "{name}", version = "1.0.0", title = "{name}", owner = "tests",
  on = {{ "bet" }}, {rulebook.ALWAYS}
  {fields}
}}
"""


def test_nonsense_comes_to_nothing(make_daemon, wallet):
    """All of them in one daemon, beside one rule that counts and one that pays as it should."""
    rules = {(name, "1.0.0"): source(name, fields) for name, fields in OUTPUTS.items()}
    rules[("good", "1.0.0")] = source("good", grant(cash("'1.23'")))
    daemon = make_daemon(rules={**rules, **rulebook.POINTS})
    refused = str(daemon.get("/v1/rules").json["errors"])
    daemon.accept(kyc("u1", 2, ts=noon()))
    one = bet("u1", 2, ts=noon(1, 1))
    result, = daemon.accept(one)
    assert [row["rule_id"] for row in result["points"]] == ["stakes"]
    assert len(result["reward_tasks"]) == 1, "the good rule's"
    daemon.wait_settled()
    task, = daemon.tasks()
    assert task["origin"]["rule_id"] == "good" and task["status"] == "succeeded"
    budget = daemon.budget()
    assert cents(budget["spent"]) == 123 and cents(budget["reserved"]) == 0
    assert len(wallet.payouts()) == 1
    assert set(daemon.player("u1")["points"]) == {"stakes"}
    verdicts = {rule["rule_id"]: rule["verdict"]
                for rule in daemon.decision(one["event_id"])["rules"]}
    assert verdicts["good"] == "fired"
    for name in OUTPUTS:
        assert verdicts.get(name) == "error" or f"{name}/1.0.0.lua" in refused, name
    assert sum(verdict == "error" for verdict in verdicts.values()) > 25


@pytest.mark.parametrize("name", ["score_nan", "cash_other_currency"])
def test_five_times_nonsense_suspends(make_daemon, name):
    daemon = make_daemon(rules={(name, "1.0.0"): source(name, OUTPUTS[name]), **rulebook.POINTS})
    for number in range(5):
        daemon.accept(bet("u1", 1, ts=noon(1, number)))
    daemon.wait_for(lambda: "suspended" in daemon.get(f"/v1/rules/{name}").body.decode())
    assert daemon.points("u1", "stakes") == 5 and daemon.tasks() == []
