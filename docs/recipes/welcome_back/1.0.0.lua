-- Who comes back after two weeks or more finds a coupon.
local DAYS_AWAY = 14

return rule {
  id = "welcome_back", version = "1.0.0", title = "Welcome back", owner = "crm",
  on    = { "login", "bet", "spin" },
  state = { seen = 0 },
  grant = function(event, player, state)
    local away = state.seen > 0 and event.day_no - state.seen or 0
    if event.day_no > state.seen then
      state.seen = event.day_no
    end
    if away >= DAYS_AWAY and event.event_name == "login" then
      return coupon { code = "WELCOME_BACK", percent = 10, expires_in = "7d" }
    end
  end,
  guards = { kyc_min_level = 0, rg = true, budget = "nov_season" },
}
