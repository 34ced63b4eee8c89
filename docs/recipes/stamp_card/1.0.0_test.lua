local function trade(name, many, amount)
  local all = {}
  for i = 1, many do
    all[i] = { event_name = name, payload = { amount = amount or "9.90", currency = "EUR" } }
  end
  return all
end

local function join(...)
  local all = {}
  for i = 1, select("#", ...) do
    for _, event in ipairs((select(i, ...))) do
      all[#all + 1] = event
    end
  end
  return all
end

return tests {
  { name = "the tenth", events = trade("purchase", 10), expect = { rewards = 1 } },
  { name = "small ones earn no stamp", events = trade("purchase", 10, "4.99"), expect = { rewards = 0 } },
  { name = "a refund takes one back",
    events = join(trade("purchase", 9), trade("refund", 1), trade("purchase", 1)), expect = { rewards = 0 } },
  { name = "giving back what is rewarded and buying again pays nothing more",
    events = join(trade("purchase", 10), trade("refund", 5), trade("purchase", 5)), expect = { rewards = 1 } },
}
