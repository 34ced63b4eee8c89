local function bet(stake, ts)
  return { event_name = "bet", ts = ts, payload = { game_id = "slot_wolf", bet = stake, win = 0, currency = "EUR" } }
end

return tests {
  { name = "the goal is reached once",
    player = { kyc_level = 1, geo = "TR" },
    events = {
      bet(20, "2026-01-05T10:00:00Z"), bet(20, "2026-01-05T11:00:00Z"),
      bet(20, "2026-01-05T12:00:00Z"), bet(20, "2026-01-05T13:00:00Z"),
    },
    expect = { points = 0, rewards = 1 } },
  { name = "two halves of two days do not add up",
    player = { kyc_level = 1, geo = "TR" },
    events = { bet(30, "2026-01-05T23:59:00Z"), bet(30, "2026-01-06T00:01:00Z") },
    expect = { points = 0, rewards = 0 } },
}
