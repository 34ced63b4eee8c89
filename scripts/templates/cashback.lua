-- PERCENT of every purchase back in cash, on at most BASE_MAX of it.
local PERCENT = 2.5
local BASE_MAX = 1000

return rule {
  id = "@ID@", version = "1.0.0", title = "Purchase cashback", owner = "me",
  on    = "purchase",
  where = { currency = "EUR" },
  when  = function(event) return tonumber(event.payload.amount) >= 1 end,
  grant = function(event)
    local base = math.min(tonumber(event.payload.amount), BASE_MAX)
    return cash { amount = percent_of(base, PERCENT, "EUR"), currency = "EUR" }
  end,
  guards = { kyc_min_level = 2, rg = true, budget = "nov_season" },
}
