local function spins(many)
  local all = {}
  for i = 1, many do
    all[i] = { event_name = "spin", ts = "2026-01-05T10:00:00Z", payload = { game_id = "slot_wolf", bet = 1 } }
  end
  return all
end

return tests {
  { name = "not at 99", events = spins(99), expect = { rewards = 0 } },
  { name = "once at 100", events = spins(130), expect = { rewards = 1 } },
  { name = "a player who excluded himself hears it too", player = { self_excluded = true }, events = spins(100),
    expect = { rewards = 1, held = 0 } },
}
