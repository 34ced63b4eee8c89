local function purchase(amount)
  return { event_name = "purchase", payload = { amount = amount, currency = "EUR" } }
end

return tests {
  { name = "a small purchase", events = { purchase("12.90") }, expect = { points = 12 } },
  { name = "a large one earns more by the euro", events = { purchase(300) }, expect = { points = 400 } },
  { name = "one purchase is capped", events = { purchase(5000) }, expect = { points = 2000 } },
}
