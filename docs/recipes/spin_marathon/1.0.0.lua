-- The hundredth spin within an hour earns a message to take a break; it costs nothing and skips no gate but RG.
return rule {
  id = "spin_marathon", version = "1.0.0", title = "Take a break", owner = "compliance",
  on         = "spin",
  aggregates = { spins = count("1h") },
  when       = function(event, player) return player.agg.spins == 100 end,
  grant      = function() return notify { text = "An hour flies. How about a break?" } end,
  guards     = { rg = false },
}
