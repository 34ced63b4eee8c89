-- Once a day: ten free spins on the game that was played when the day's stakes reach 50 euro.
local GOAL = 50

return rule {
  id = "wager_mission", version = "1.0.0", title = "Wager 50 in a day", owner = "missions",
  on         = "bet",
  where      = { currency = "EUR" },
  aggregates = { wager = sum("payload.bet", "1d") },
  state      = { paid_day = 0 },
  grant      = function(event, player, state)
    if player.agg.wager >= GOAL and state.paid_day ~= event.day_no then
      state.paid_day = event.day_no
      return freespins { count = 10, game = event.payload.game_id or "slot_wolf" }
    end
  end,
  guards     = { kyc_min_level = 1, rg = true, budget = "nov_season" },
}
