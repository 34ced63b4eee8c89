local function win(stake, amount)
  return { event_name = "win", payload = { bet = stake, win = amount, currency = "EUR" } }
end

return tests {
  { name = "a hundred times", events = { win(0.2, 20) }, expect = { rewards = 1 } },
  { name = "a thousand times is one badge, not two", events = { win(1, 1000) }, expect = { rewards = 1 } },
  { name = "ninety-nine times", events = { win(1, 99) }, expect = { rewards = 0 } },
  { name = "no stake, no multiple", events = { win(0, 99), win(nil, 99) }, expect = { rewards = 0 } },
}
