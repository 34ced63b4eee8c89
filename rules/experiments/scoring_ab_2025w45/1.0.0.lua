return experiment {
  key = "scoring_ab_2025w45", version = "1.0.0", title = "Win-multiple points against what was", owner = "growth",
  active   = { from = "2025-11-03T00:00:00Z", to = "2025-11-10T00:00:00Z" },    -- half open, event time
  eligible = { geo = { "TR", "BR", "PE" } },
  arms     = { control = 50, treatment = 50 },
  strata   = { "payer", "platform" },
  metrics  = {
    primary    = { event = "bet", sum = "payload.bet" },
    guardrails = { { event = "rg_event" }, { event = "refund" } },
  },
}
