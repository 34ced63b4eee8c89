local function bet(second, win)
  return { event_name = "bet", ts = string.format("2026-01-10T12:00:%02dZ", second),
    payload = { bet = 1, win = win, currency = "EUR", game_id = "slot_wolf" } }
end

return tests {
  { name = "three losses and a win", events = { bet(1, 0), bet(2, 0), bet(3, 0), bet(4, 5) }, expect = { points = 10 } },
  { name = "two are not enough", events = { bet(1, 0), bet(2, 0), bet(3, 5), bet(4, 5) }, expect = { points = 0 } },
  { name = "the win came first and was made last", events = { bet(4, 5), bet(2, 0), bet(1, 0), bet(3, 0) },
    expect = { points = 10 } },
  { name = "a win that comes last breaks the row it was made in",
    events = { bet(1, 0), bet(3, 0), bet(4, 0), bet(5, 5), bet(2, 5) }, expect = { points = 0 } },
}
