local function spin(stake, win, free)
  return { event_name = "spin", payload = { game_id = "slot_wolf", bet = stake, win = win, free = free } }
end

return tests {
  { name = "five times the stake", events = { spin(1, 5) }, expect = { points = 5 } },
  { name = "less than twice is nothing", events = { spin(1, 1.9) }, expect = { points = 0 } },
  { name = "a free spin has no stake", events = { spin(0, 5), spin(1, 5, true) }, expect = { points = 0 } },
  { name = "a fortune is capped", events = { spin(1, 5000) }, expect = { points = 100 } },
  { name = "a missing win is none", events = { spin(1) }, expect = { points = 0 } },
}
