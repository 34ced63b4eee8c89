local function bet(ts)
  return { event_name = "bet", ts = ts, payload = { bet = 10, currency = "EUR" } }
end

return tests {
  { name = "in the hours", events = { bet("2025-11-14T18:00:00Z"), bet("2025-11-14T19:59:59Z") }, expect = { points = 40 } },
  { name = "before and after", events = { bet("2025-11-14T17:59:59Z"), bet("2025-11-14T20:00:00Z") },
    expect = { points = 0 } },
  { name = "not at the weekend", events = { bet("2025-11-15T18:30:00Z") }, expect = { points = 0 } },
}
