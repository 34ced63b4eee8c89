return tests {
  { name = "three times the win multiple",
    player = { kyc_level = 2, geo = "TR" },
    events = { { event_name = "bet", payload = { game_id = "slot_wolf", bet = 1, win = 2, currency = "EUR" } } },
    expect = { points = 6, rewards = 0 } },
  { name = "not in another country",
    player = { kyc_level = 2, geo = "DE" },
    events = { { event_name = "bet", payload = { game_id = "slot_wolf", bet = 1, win = 2, currency = "EUR" } } },
    expect = { points = 0, rewards = 0 } },
}
