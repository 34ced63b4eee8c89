local function bet(stake, currency)
  return { event_name = "bet", payload = { bet = stake, currency = currency or "EUR" } }
end

return tests {
  { name = "points are whole, rounded down",
    events = { bet(3.99) }, expect = { points = 3 } },
  { name = "an amount may come as decimal text",
    events = { bet("7.50") }, expect = { points = 7 } },
  { name = "twenty a bet at most",
    events = { bet(70) }, expect = { points = 20 } },
  { name = "other currencies do not count",
    events = { bet(5, "USD") }, expect = { points = 0 } },
}
