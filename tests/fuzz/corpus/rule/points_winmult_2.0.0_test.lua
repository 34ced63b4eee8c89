local verified = { kyc_level = 2, geo = "TR" }

local function bet(stake, win, ts)
  return {
    event_name = "bet", ts = ts or "2025-11-10T12:00:00Z",
    payload = { game_id = "slot_wolf", bet = stake, win = win, currency = "EUR" },
  }
end

return tests {
  { name = "three times the win multiple",
    player = verified,
    events = { bet(1, 2) },
    expect = { points = 6, rewards = 0 } },
  { name = "a small stake gives nothing",
    player = verified,
    events = { bet(0.1, 5) },
    expect = { points = 0, rewards = 0 } },
  { name = "one event is capped at 50",
    player = verified,
    events = { bet(1, 1000) },
    expect = { points = 50, rewards = 0 } },
  { name = "the second capped event reaches the first milestone",
    player = verified,
    events = { bet(1, 1000), bet(1, 1000, "2025-11-10T12:00:10Z") },
    expect = { points = 100, rewards = 1 } },
  { name = "a minute gives at most 200",
    player = verified,
    events = {
      bet(1, 1000, "2025-11-10T12:00:01Z"), bet(1, 1000, "2025-11-10T12:00:02Z"),
      bet(1, 1000, "2025-11-10T12:00:03Z"), bet(1, 1000, "2025-11-10T12:00:04Z"),
      bet(1, 1000, "2025-11-10T12:00:05Z"),
    },
    expect = { points = 200, rewards = 1 } },
  { name = "not in another country",
    player = { kyc_level = 2, geo = "DE" },
    events = { bet(1, 2) },
    expect = { points = 0, rewards = 0 } },
  { name = "not after the season",
    player = verified,
    events = { bet(1, 2, "2025-12-01T00:00:00Z") },
    expect = { points = 0, rewards = 0 } },
}
