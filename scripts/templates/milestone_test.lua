local verified = { kyc_level = 2 }

local function bets(count)
  local list = {}
  for i = 1, count do
    list[i] = { event_name = "bet", payload = { game_id = "slot_wolf", bet = 50, win = 0, currency = "EUR" } }
  end
  return list
end

return tests {
  { name = "nothing before the first", player = verified, events = bets(1),
    expect = { points = 50, milestones = 0, rewards = 0 } },
  { name = "the first", player = verified, events = bets(2),
    expect = { points = 100, milestones = 1, rewards = 1, held = 0 } },
  { name = "both, each once", player = verified, events = bets(12),
    expect = { points = 600, milestones = 2, rewards = 2 } },
  { name = "held until the player is verified", player = { kyc_level = 0 }, events = bets(2),
    expect = { points = 100, rewards = 1, held = 1 } },
}
