-- A ladder: rewards at 50, 200 and 1000 points. Each step is paid once per player, over all versions.
return rule {
  id = "points_ladder", version = "1.0.0", title = "The season's ladder", owner = "growth",
  on    = "bet",
  score = function(event) return tonumber(event.payload.bet) end,
  caps  = { per_event = 100 },
  milestones = {
    { at = 50,   reward = badge      { name = "bronze" } },
    { at = 200,  reward = freespins  { count = 10, game = "slot_wolf", expires_in = "7d" } },
    { at = 1000, reward = bonus_cash { amount = "5.00", currency = "EUR", wagering = 20 } },
  },
  guards = { kyc_min_level = 1, rg = true, budget = "nov_season" },
}
