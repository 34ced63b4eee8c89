local function deposit(amount, currency)
  return { event_name = "deposit", payload = { amount = amount, currency = currency or "EUR" } }
end

return tests {
  { name = "the first deposit is matched",
    player = { kyc_level = 1, geo = "TR" },
    events = { deposit(25.5) },
    expect = { points = 0, rewards = 1 } },
  { name = "only the first",
    player = { kyc_level = 1, geo = "TR" },
    events = { deposit("25.00"), deposit(50) },
    expect = { points = 0, rewards = 1 } },
  { name = "not below ten euro",
    player = { kyc_level = 1, geo = "TR" },
    events = { deposit(9.99) },
    expect = { points = 0, rewards = 0 } },
  { name = "not in another currency",
    player = { kyc_level = 1, geo = "TR" },
    events = { deposit(25, "USD") },
    expect = { points = 0, rewards = 0 } },
}
