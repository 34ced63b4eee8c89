-- The rule of the bench that does all a rule can do on every bet. The load's players have no KYC
-- level, so its rewards are held: tasks and budget are paid for, no partner is needed.
return rule {
  id = "bench_scores", version = "1.0.0", title = "Scores, clips, rewards", owner = "bench",
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
  guards = { kyc_min_level = 2, rg = true, budget = "bench" },
}
