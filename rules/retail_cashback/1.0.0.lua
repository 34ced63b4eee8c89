-- Two and a half per cent of a purchase back in cash, five for VIPs, on at most 1000 euro of it.
local BASE_MAX = 1000

return rule {
  id = "retail_cashback", version = "1.0.0", title = "Purchase cashback", owner = "retail",
  on     = "purchase",
  where  = { currency = "EUR" },
  when   = function(event) return tonumber(event.payload.amount) >= 1 end,
  grant  = function(event, player)
    local percent = player.segments.has("vip") and 5 or 2.5
    local base = math.min(tonumber(event.payload.amount), BASE_MAX)
    return cash { amount = percent_of(base, percent, "EUR"), currency = "EUR" }
  end,
  guards = { kyc_min_level = 2, rg = true, budget = "nov_season" },
}
