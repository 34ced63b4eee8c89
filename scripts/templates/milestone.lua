-- Points for stakes, and a reward at each milestone: once per player, over all versions.
return rule {
  id = "@ID@", version = "1.0.0", title = "Milestones for stakes", owner = "me",
  on    = "bet",
  where = { currency = "EUR" },
  score = function(event, player) return event.payload.bet end,
  caps  = { per_event = 50 },
  milestones = {
    { at = 100, reward = freespins { count = 10, game = "slot_wolf" } },
    { at = 500, reward = bonus_cash { amount = "5.00", currency = "EUR", wagering = 15 } },
  },
  -- Whatever pays names its budget, one of engine.conf's.
  guards = { kyc_min_level = 2, rg = true, budget = "nov_season" },
}
