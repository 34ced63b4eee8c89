local verified = { kyc_level = 1 }

local function bet(stake, ts)
  return { event_name = "bet", ts = ts,
           payload = { game_id = "slot_wolf", bet = stake, win = 0, currency = "EUR" } }
end

return tests {
  { name = "reached once, however much follows", player = verified,
    events = { bet(30), bet(20), bet(200) }, expect = { rewards = 1 } },
  { name = "not reached", player = verified, events = { bet(49) }, expect = { rewards = 0 } },
  { name = "two halves of two days do not add up", player = verified,
    events = { bet(30, "2026-01-01T23:59:00Z"), bet(30, "2026-01-02T00:01:00Z") },
    expect = { rewards = 0 } },
}
