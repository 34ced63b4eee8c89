local verified = { kyc_level = 1 }

local function logins(days)
  local list = {}
  for i, day in ipairs(days) do
    list[i] = { event_name = "login", ts = "2026-01-" .. string.format("%02d", day) .. "T08:00:00Z", payload = {} }
  end
  return list
end

return tests {
  { name = "six days are not enough", player = verified, events = logins { 1, 2, 3, 4, 5, 6 },
    expect = { rewards = 0 } },
  { name = "the seventh pays, once", player = verified, events = logins { 1, 2, 3, 4, 5, 6, 7, 7 },
    expect = { rewards = 1 } },
  { name = "a gap starts over", player = verified, events = logins { 1, 2, 3, 5, 6, 7, 8 },
    expect = { rewards = 0 } },
}
