-- The first deposit of at least MIN is matched in bonus cash, up to MATCH_MAX. An amount comes as a
-- number or as decimal text.
local MIN = 10
local MATCH_MAX = 100

return rule {
  id = "@ID@", version = "1.0.0", title = "First deposit matched", owner = "me",
  on    = "deposit",
  where = { currency = "EUR" },
  aggregates = { deposits = count("all") },
  when  = function(event, player)
    return player.agg.deposits == 1 and tonumber(event.payload.amount) >= MIN
  end,
  grant = function(event)
    local amount = money(math.min(tonumber(event.payload.amount), MATCH_MAX), "EUR")
    return bonus_cash { amount = amount, currency = "EUR", wagering = 20, expires_in = "14d" }
  end,
  guards = { kyc_min_level = 1, rg = true, budget = "nov_season" },
}
