local function deposit(amount)
  return { event_name = "deposit", payload = { amount = amount, currency = "EUR" } }
end

return tests {
  { name = "the first one", player = { kyc_level = 1 }, events = { deposit("10.00") }, expect = { rewards = 1 } },
  { name = "not the second", player = { kyc_level = 1 }, events = { deposit(10), deposit(10) }, expect = { rewards = 1 } },
  { name = "a small first one uses it up", player = { kyc_level = 1 }, events = { deposit(5), deposit(50) },
    expect = { rewards = 0 } },
}
