local function login(day)
  return { event_name = "login", ts = "2026-01-" .. string.format("%02d", day) .. "T08:00:00Z", payload = {} }
end

return tests {
  { name = "six days are not enough",
    player = { kyc_level = 1, geo = "TR" },
    events = { login(1), login(2), login(3), login(4), login(5), login(6) },
    expect = { points = 0, rewards = 0 } },
  { name = "the seventh day pays once, however many logins it has",
    player = { kyc_level = 1, geo = "TR" },
    events = { login(1), login(2), login(3), login(4), login(5), login(6), login(7), login(7) },
    expect = { points = 0, rewards = 1 } },
  { name = "a gap starts over",
    player = { kyc_level = 1, geo = "TR" },
    events = { login(1), login(2), login(3), login(5), login(6), login(7), login(8) },
    expect = { points = 0, rewards = 0 } },
}
