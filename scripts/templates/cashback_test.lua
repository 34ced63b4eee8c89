local function purchase(amount)
  return { event_name = "purchase", payload = { amount = amount, currency = "EUR" } }
end

return tests {
  { name = "every purchase pays", player = { kyc_level = 2 }, events = { purchase(40), purchase("19.99") },
    expect = { rewards = 2, held = 0 } },
  { name = "one below 1 euro pays nothing", player = { kyc_level = 2 }, events = { purchase(0.5) },
    expect = { rewards = 0 } },
  { name = "held until the player is verified", player = { kyc_level = 1 }, events = { purchase(40) },
    expect = { rewards = 1, held = 1 } },
}
