local login = { event_name = "login", payload = { method = "password" } }

return tests {
  { name = "the first on a phone", player = { kyc_level = 1, geo = "BR", platform = "ios" }, events = { login, login },
    expect = { rewards = 1 } },
  { name = "not on the web", player = { kyc_level = 1, geo = "BR", platform = "web" }, events = { login },
    expect = { rewards = 0 } },
  { name = "not elsewhere", player = { kyc_level = 1, geo = "DE", platform = "ios" }, events = { login },
    expect = { rewards = 0 } },
}
