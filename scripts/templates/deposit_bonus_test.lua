local verified = { kyc_level = 1 }

local function deposit(amount)
  return { event_name = "deposit", payload = { amount = amount, currency = "EUR" } }
end

return tests {
  { name = "the first is matched", player = verified, events = { deposit("25.50") }, expect = { rewards = 1 } },
  { name = "only the first", player = verified, events = { deposit(20), deposit(30) }, expect = { rewards = 1 } },
  { name = "a small one is not", player = verified, events = { deposit(9.99) }, expect = { rewards = 0 } },
}
