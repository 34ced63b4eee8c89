local function bet(stake, ts)
  return { event_name = "bet", ts = ts, payload = { bet = stake, currency = "EUR", game_id = "slot_fox" } }
end

return tests {
  { name = "reached once", player = { kyc_level = 1 },
    events = { bet(30, "2026-01-05T10:00:00Z"), bet(30, "2026-01-05T11:00:00Z"), bet(30, "2026-01-05T12:00:00Z") },
    expect = { rewards = 1 } },
  { name = "and again on the next day", player = { kyc_level = 1 },
    events = { bet(50, "2026-01-05T10:00:00Z"), bet(50, "2026-01-06T10:00:00Z") }, expect = { rewards = 2 } },
  { name = "two halves of two days are none", player = { kyc_level = 1 },
    events = { bet(30, "2026-01-05T23:59:00Z"), bet(30, "2026-01-06T00:01:00Z") }, expect = { rewards = 0 } },
}
