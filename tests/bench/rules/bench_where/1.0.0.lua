-- Refused by the core on every bet, before Lua is entered: the load's players are in TR.
return rule {
  id = "bench_where", version = "1.0.0", title = "Elsewhere", owner = "bench",
  on     = { "bet" },
  active = { from = "2020-01-01T00:00:00Z", to = "2100-01-01T00:00:00Z" },
  where  = { geo = { "BR" } },
  score  = function(event, player) return event.payload.bet end,
}
