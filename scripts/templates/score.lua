-- Points for every bet of at least MIN: what was staked, no more than a cap an event and a day.
local MIN = 0.2

return rule {
  id = "@ID@", version = "1.0.0", title = "Points for stakes", owner = "me",
  on    = "bet",
  where = { currency = "EUR" },
  when  = function(event) return event.payload.bet >= MIN end,
  score = function(event, player) return event.payload.bet end,
  caps  = { per_event = 50, per_day = 1500 },
}
