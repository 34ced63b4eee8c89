-- A badge for every fifth day in a row with a login. Days are UTC days of event time.
return rule {
  id = "daily_streak", version = "1.0.0", title = "Five days in a row", owner = "growth",
  on    = "login",
  state = { days = 0, last = 0 },
  grant = function(event, player, state)
    if event.day_no <= state.last then
      return nil -- again today, or a login that came late
    end
    state.days = event.day_no == state.last + 1 and state.days + 1 or 1
    state.last = event.day_no
    if state.days % 5 == 0 then
      return badge { name = "streak_" .. state.days }
    end
  end,
}
