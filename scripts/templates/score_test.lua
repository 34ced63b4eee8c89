local function bet(stake)
  return { event_name = "bet", payload = { game_id = "slot_wolf", bet = stake, win = 0, currency = "EUR" } }
end

return tests {
  { name = "what was staked, whole points", events = { bet(7.5), bet(2) }, expect = { points = 9 } },
  { name = "a small stake gives nothing", events = { bet(0.1) }, expect = { points = 0 } },
  { name = "one event is capped", events = { bet(900) }, expect = { points = 50 } },
}
