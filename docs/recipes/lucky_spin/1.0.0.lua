-- One spin in fifty finds loot. The draw follows from the event's id: a replay draws the same.
return rule {
  id = "lucky_spin", version = "1.0.0", title = "Lucky spin", owner = "growth",
  on     = "spin",
  grant  = function()
    local draw = math.random(1000)
    if draw <= 1 then
      return loot { rarity = "legendary", cost = "25.00", currency = "EUR" }
    elseif draw <= 20 then
      return loot { rarity = "common" }
    end
  end,
  guards = { kyc_min_level = 1, rg = true, budget = "nov_season" },
}
