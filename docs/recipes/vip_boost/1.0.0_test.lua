local function bet(stake, tier)
  return { event_name = "bet", user = { id = "u_test", attributes = { tier = tier } }, payload = { bet = stake } }
end

return tests {
  { name = "gold is half as much again", events = { bet(10, "gold") }, expect = { points = 15 } },
  { name = "silver is not asked", events = { bet(10, "silver") }, expect = { points = 0 } },
  { name = "nor is who has no tier", events = { bet(10) }, expect = { points = 0 } },
}
