-- Double points from 18 to 20 o'clock UTC, Monday to Friday.
return rule {
  id = "happy_hour", version = "1.0.0", title = "Happy hour", owner = "growth",
  on    = "bet",
  where = { weekday = { 1, 2, 3, 4, 5 }, hour = { 18, 19 } },
  score = function(event) return 2 * tonumber(event.payload.bet) end,
  caps  = { per_event = 50, per_hour = 400 },
}
