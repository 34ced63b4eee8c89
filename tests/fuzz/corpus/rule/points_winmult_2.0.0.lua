return rule {
  id = "points_winmult", version = "2.0.0", title = "Win-multiple points", owner = "growth",
  on     = { "bet" },
  active = { from = "2025-11-01T00:00:00Z", to = "2025-12-01T00:00:00Z" },      -- half open, event time
  where  = { geo = { "TR", "BR", "PE" } },                                     -- declarative, checked by the core before Lua is entered
  when   = function(event, player) return event.payload.bet >= 0.2 end,
  score  = function(event, player) return event.payload.win / event.payload.bet * 3 end,
  caps   = { per_event = 50, per_minute = 200, per_day = 1500 },
  milestones = {
    { at = 100, reward = freespins  { count = 10, game = "slot_wolf" } },
    { at = 300, reward = bonus_cash { amount = "2.00", currency = "EUR", wagering = 15 } },
    { at = 800, reward = loot       { rarity = "rare" } },
  },
  guards = { kyc_min_level = 2, rg = true, budget = "nov_season" },
  experiment = "scoring_ab_2025w45",
}
