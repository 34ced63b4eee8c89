-- Refused in Lua on every bet: the load stakes less than five.
return rule {
  id = "bench_when", version = "1.0.0", title = "High rollers", owner = "bench",
  on     = { "bet" },
  active = { from = "2020-01-01T00:00:00Z", to = "2100-01-01T00:00:00Z" },
  when   = function(event, player) return event.payload.bet >= 1000 end,
  score  = function(event, player) return event.payload.bet end,
}
