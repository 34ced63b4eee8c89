-- Stake GOAL within one UTC day: the bet that gets there earns the reward.
local GOAL = 50

return rule {
  id = "@ID@", version = "1.0.0", title = "Stake 50 in a day", owner = "me",
  on    = "bet",
  where = { currency = "EUR" },
  -- Kept by the core; this event is in it already.
  aggregates = { wager_1d = sum("payload.bet", "1d") },
  grant = function(event, player)
    local wager = player.agg.wager_1d or 0
    if wager >= GOAL and wager - tonumber(event.payload.bet) < GOAL then
      return freespins { count = 5, game = "slot_wolf", cost = "0.50", currency = "EUR" }
    end
  end,
  guards = { kyc_min_level = 1, rg = true, budget = "nov_season" },
}
