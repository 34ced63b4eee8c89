-- A win right after three lost bets earns ten points: by the order in which the bets were made, not that in which they came.
return rule {
  id = "comeback", version = "1.0.0", title = "Back from three losses", owner = "growth",
  on    = "bet",
  order = "event_time",
  state = { losses = 0 },
  score = function(event, player, state)
    local losses = state.losses
    local won = (tonumber(event.payload.win) or 0) > 0
    state.losses = won and 0 or losses + 1
    return won and losses >= 3 and 10 or 0
  end,
  caps  = { per_day = 100 },
}
