-- Points for every win, rewards at three totals: active whenever the demo runs, which the season of
-- the shipped rules is not.
return rule {
  id = "demo_points", version = "1.0.0", title = "Win points of the demo", owner = "demo",
  on     = { "bet" },
  active = { from = "2020-01-01T00:00:00Z", to = "2100-01-01T00:00:00Z" },
  where  = { geo = { "TR", "BR", "PE" } },
  when   = function(event, player) return event.payload.bet >= 0.2 end,
  score  = function(event, player) return event.payload.win / event.payload.bet * 3 end,
  caps   = { per_event = 50, per_minute = 200, per_day = 1500 },
  milestones = {
    { at = 100, reward = freespins  { count = 10, game = "slot_wolf" } },
    { at = 300, reward = bonus_cash { amount = "2.00", currency = "EUR", wagering = 15 } },
    { at = 800, reward = loot       { rarity = "rare" } },
  },
  guards = { kyc_min_level = 2, rg = true, budget = "nov_season" },
}
