return tests {
  { name = "without points there is no tier", events = { { event_name = "login" }, { event_name = "login" } },
    expect = { points = 0, rewards = 0 } },
}
