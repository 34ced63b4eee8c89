-- Every deposit of a Friday is matched by half in bonus cash, up to 50 euro.
local HALF, MOST = 50, 100

return rule {
  id = "deposit_match", version = "1.0.0", title = "Friday match", owner = "crm",
  on     = "deposit",
  where  = { currency = "EUR", weekday = 5 },
  when   = function(event) return tonumber(event.payload.amount) >= 20 end,
  grant  = function(event)
    local base = math.min(tonumber(event.payload.amount), MOST)
    return bonus_cash { amount = percent_of(base, HALF, "EUR"), currency = "EUR", wagering = 25, expires_in = "3d" }
  end,
  guards = { kyc_min_level = 2, rg = true, budget = "nov_season" },
}
