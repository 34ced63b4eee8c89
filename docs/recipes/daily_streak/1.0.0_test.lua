local function login(day)
  return { event_name = "login", ts = string.format("2026-01-%02dT08:00:00Z", day) }
end

return tests {
  { name = "the fifth day", events = { login(1), login(2), login(3), login(4), login(5), login(5) },
    expect = { rewards = 1 } },
  { name = "a gap begins anew", events = { login(1), login(2), login(4), login(5), login(6) }, expect = { rewards = 0 } },
  { name = "ten days are two badges",
    events = { login(1), login(2), login(3), login(4), login(5), login(6), login(7), login(8), login(9), login(10) },
    expect = { rewards = 2 } },
}
