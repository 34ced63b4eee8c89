"""Rules for the tests, written in the product's own Lua DSL."""

ALWAYS = 'active = { from = "2020-01-01T00:00:00Z", to = "2100-01-01T00:00:00Z" },'


def rule(rule_id, version="1.0.0", on=("bet",), score="event.payload.bet", grant=None, when=None,
         where=None, caps=None, milestones=(), guards=None, active=ALWAYS, extra="", head=""):
    """The source of one rule version; the function bodies are Lua expressions."""
    lines = [head, "return rule {",
             f'  id = "{rule_id}", version = "{version}", title = "{rule_id}", owner = "tests",',
             "  on = { " + ", ".join(f'"{name}"' for name in on) + " },", "  " + active]
    if where:
        lines.append("  where = " + where + ",")
    if when:
        lines.append(f"  when = function(event, player) return {when} end,")
    if grant:
        lines.append(f"  grant = function(event, player, state) {grant} end,")
    elif score:
        lines.append(f"  score = function(event, player) return {score} end,")
    if caps:
        lines.append("  caps = { " + ", ".join(f"{key} = {value}" for key, value in caps.items())
                     + " },")
    if milestones:
        lines.append("  milestones = {")
        lines += [f"    {{ at = {at}, reward = {reward} }}," for at, reward in milestones]
        lines.append("  },")
    if guards:
        lines.append("  guards = " + guards + ",")
    lines += ["  " + extra, "}", ""]
    return "\n".join(line for line in lines if line.strip()) + "\n"


def formula(formula_id, body, version="1.0.0", head=""):
    """The source of one formula version, a function of a and b; body is its Lua statements."""
    return (f'{head}return formula {{ id = "{formula_id}", version = "{version}",\n'
            f"  compute = function(a, b) {body} end }}\n")


def cash(amount, more=""):
    return f'cash {{ amount = "{amount}", currency = "EUR"{more} }}'


def freespins(count, more=""):
    return f'freespins {{ count = {count}, game = "slot_wolf"{more} }}'


def guards(kyc=2, pool="nov_season"):
    return f'{{ kyc_min_level = {kyc}, rg = true, budget = "{pool}" }}'


# In event time: a win counts where the bet before it was lost. What comes of it depends on the order
# of every two bets.
AFTER_LOSS = '''order = "event_time", state = { lost = false },
  score = function(event, player, state)
    local lost = state.lost
    state.lost = event.payload.win == 0
    return lost and math.min(event.payload.win, 50) or 0
  end,'''


# Counts stakes, pays nothing: for tests of ingest and points.
POINTS = {("stakes", "1.0.0"): rule("stakes", score="event.payload.bet")}

# Every player's first 10 points earn 5.00 EUR in cash: for tests of gates, money and delivery.
PAYS = {("pays", "1.0.0"): rule("pays", score="event.payload.bet",
                                milestones=[(10, cash("5.00"))], guards=guards())}

# A milestone every 10 points up to 200: many tasks under load.
PAYS_OFTEN = {("often", "1.0.0"): rule(
    "often", score="event.payload.bet", guards=guards(),
    milestones=[(at, cash("1.00") if at % 20 else freespins(5)) for at in range(10, 210, 10)])}
