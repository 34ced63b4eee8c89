local function spins(first, last)
  local all = {}
  for i = first, last do
    all[#all + 1] = { event_name = "spin", event_id = "spin_" .. i, payload = { game_id = "slot_wolf" } }
  end
  return all
end

return tests {
  { name = "the same ids draw the same", player = { kyc_level = 1 }, events = spins(1, 200), expect = { rewards = 9 } },
  { name = "others draw otherwise", player = { kyc_level = 1 }, events = spins(201, 400), expect = { rewards = 2 } },
}
