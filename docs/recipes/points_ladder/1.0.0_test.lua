local function bet(stake)
  return { event_name = "bet", payload = { bet = stake, currency = "EUR" } }
end

return tests {
  { name = "the first step",
    player = { kyc_level = 1 }, events = { bet(50) }, expect = { points = 50, milestones = 1, rewards = 1 } },
  { name = "two steps, the second one being reached by the sum",
    player = { kyc_level = 1 }, events = { bet(100), bet(100) }, expect = { points = 200, milestones = 2, rewards = 2 } },
  { name = "a step is paid once",
    player = { kyc_level = 1 }, events = { bet(60), bet(60), bet(60) }, expect = { points = 180, rewards = 1 } },
  { name = "without KYC both wait: the guard is the rule's, whatever the reward",
    player = { kyc_level = 0 }, events = { bet(100), bet(100) }, expect = { rewards = 2, held = 2 } },
}
