local function bet(stake, win)
  return { event_name = "bet", payload = { bet = stake, win = win, currency = "EUR" } }
end
local bye = { event_name = "session_end", payload = { duration_s = 600 } }

return tests {
  { name = "a lost day", player = { kyc_level = 2 }, events = { bet(50, 5), bet(10, 0), bye }, expect = { rewards = 1 } },
  { name = "once a day", player = { kyc_level = 2 }, events = { bet(50, 0), bye, bet(50, 0), bye }, expect = { rewards = 1 } },
  { name = "a won day", player = { kyc_level = 2 }, events = { bet(50, 90), bye }, expect = { rewards = 0 } },
  { name = "nothing before the session ends", player = { kyc_level = 2 }, events = { bet(50, 0) },
    expect = { rewards = 0 } },
}
