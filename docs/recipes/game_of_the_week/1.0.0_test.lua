local function bet(game, ts)
  return { event_name = "bet", ts = ts, payload = { game_id = game, bet = 5 } }
end

return tests {
  { name = "by game", events = { bet("slot_wolf"), bet("slot_fox"), bet("roulette"), bet("other"), bet() },
    expect = { points = 15 + 10 + 2 } },
  { name = "the week is half open",
    events = { bet("slot_wolf", "2025-11-10T00:00:00Z"), bet("slot_wolf", "2025-11-17T00:00:00Z") },
    expect = { points = 15 } },
}
