-- Five free spins on the bet with which the day's stakes reach 50.
local GOAL = 50

return rule {
  id = "daily_wager_mission", version = "1.0.0", title = "Wager 50 in a day", owner = "missions",
  on     = "bet",
  where  = { currency = "EUR" },
  aggregates = { wager_1d = sum("payload.bet", "1d") },
  grant  = function(event, player)
    local wager = player.agg.wager_1d or 0
    if wager >= GOAL and wager - tonumber(event.payload.bet) < GOAL then
      return freespins { count = 5, game = event.payload.game_id or "slot_wolf", cost = "0.50", currency = "EUR" }
    end
  end,
  guards = { kyc_min_level = 1, rg = true, budget = "nov_season" },
}
