local function on(name, ts)
  return { event_name = name, ts = ts, payload = name == "bet" and { bet = 1 } or nil }
end

return tests {
  { name = "two weeks away", events = { on("login", "2026-01-01T10:00:00Z"), on("login", "2026-01-15T10:00:00Z") },
    expect = { rewards = 1 } },
  { name = "a day less", events = { on("login", "2026-01-01T10:00:00Z"), on("login", "2026-01-14T10:00:00Z") },
    expect = { rewards = 0 } },
  { name = "a bet is being here, too",
    events = { on("login", "2026-01-01T10:00:00Z"), on("bet", "2026-01-10T10:00:00Z"), on("login", "2026-01-15T10:00:00Z") },
    expect = { rewards = 0 } },
  { name = "the first login ever is no return", events = { on("login", "2026-01-15T10:00:00Z") }, expect = { rewards = 0 } },
}
