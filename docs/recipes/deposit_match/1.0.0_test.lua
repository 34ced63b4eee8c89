local function deposit(amount, ts)
  return { event_name = "deposit", ts = ts, payload = { amount = amount, currency = "EUR" } }
end

return tests {
  { name = "on a Friday", player = { kyc_level = 2 }, events = { deposit(33.33, "2025-11-14T10:00:00Z") },
    expect = { rewards = 1 } },
  { name = "on no other day", player = { kyc_level = 2 }, events = { deposit(33.33, "2025-11-13T10:00:00Z") },
    expect = { rewards = 0 } },
  { name = "from 20 euro on", player = { kyc_level = 2 }, events = { deposit(19.99, "2025-11-14T10:00:00Z") },
    expect = { rewards = 0 } },
  { name = "held until KYC 2", player = { kyc_level = 1 }, events = { deposit(40, "2025-11-14T10:00:00Z") },
    expect = { rewards = 1, held = 1 } },
}
