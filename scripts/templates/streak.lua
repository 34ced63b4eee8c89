-- A reward for every DAYS days in a row with a login. Days are UTC days of event time.
local DAYS = 7

return rule {
  id = "@ID@", version = "1.0.0", title = "A week of logins", owner = "me",
  on    = "login",
  state = { streak = 0, last_day = 0 },
  grant = function(event, player, state)
    local day = event.day_no
    if day <= state.last_day then
      return nil -- again today, or a login that came late
    end
    state.streak = day == state.last_day + 1 and state.streak + 1 or 1
    state.last_day = day
    if state.streak % DAYS == 0 then
      return freespins { count = 10, game = "slot_wolf", cost = "1.00", currency = "EUR", expires_in = "3d" }
    end
  end,
  guards = { kyc_min_level = 1, rg = true, budget = "nov_season" },
}
