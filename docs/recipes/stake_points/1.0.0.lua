-- One point for every euro staked, at most 20 a bet and 500 a day.
return rule {
  id = "stake_points", version = "1.0.0", title = "A point for every euro staked", owner = "growth",
  on    = "bet",
  where = { currency = "EUR" },
  score = function(event) return tonumber(event.payload.bet) end,
  caps  = { per_event = 20, per_day = 500 },
}
