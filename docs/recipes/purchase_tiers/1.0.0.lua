-- The more is bought at once, the more each euro earns, by a formula that other rules may take, too.
local tiered = formula "tiered@1.0.0"

return rule {
  id = "purchase_tiers", version = "1.0.0", title = "Points by steps for purchases", owner = "retail",
  on    = "purchase",
  where = { currency = "EUR" },
  score = function(event) return tiered(tonumber(event.payload.amount)) end,
  caps  = { per_event = 2000, per_day = 5000 },
}
