local function purchase(amount)
  return { event_name = "purchase", payload = { amount = amount, currency = "EUR" } }
end

return tests {
  { name = "every purchase pays",
    player = { kyc_level = 2, geo = "TR" },
    events = { purchase(19.99), purchase("100.00") },
    expect = { points = 0, rewards = 2 } },
  { name = "a purchase below one euro pays nothing",
    player = { kyc_level = 2, geo = "TR" },
    events = { purchase(0.99) },
    expect = { points = 0, rewards = 0 } },
}
