-- Points for how many times the stake was won, from twice on; a stake of nothing is no multiple.
return rule {
  id = "win_multiple", version = "1.0.0", title = "Win multiples", owner = "growth",
  on    = { "spin", "bet" },
  when  = function(event)
    return event.payload.free ~= true and (tonumber(event.payload.bet) or 0) >= 0.2
  end,
  score = function(event)
    local multiple = (tonumber(event.payload.win) or 0) / tonumber(event.payload.bet)
    return multiple >= 2 and multiple or 0
  end,
  caps  = { per_event = 100, per_minute = 300, per_day = 2000 },
}
