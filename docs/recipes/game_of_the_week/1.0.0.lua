-- Points by game: what is not in the table earns nothing.
local FACTORS = {
  slot_wolf = 3,
  slot_fox  = 2,
  roulette  = 0.5,
}

return rule {
  id = "game_of_the_week", version = "1.0.0", title = "Games of the week", owner = "content",
  on     = { "bet", "spin" },
  active = { from = "2025-11-10T00:00:00Z", to = "2025-11-17T00:00:00Z" },
  score  = function(event)
    return (FACTORS[event.payload.game_id] or 0) * (tonumber(event.payload.bet) or 0)
  end,
  caps   = { per_event = 30, per_day = 600 },
}
