-- Rules build on one another: who has 1000 stake points (the first recipe) gets a tier, once.
return rule {
  id = "loyalty_tier", version = "1.0.0", title = "Loyalty tiers", owner = "growth",
  on       = "login",
  priority = -10, -- after the rules that count
  state    = { tier = "" },
  grant    = function(event, player, state)
    local points = player.points("stake_points")
    local tier = points >= 10000 and "gold" or points >= 1000 and "silver" or ""
    if tier == state.tier then
      return nil
    end
    state.tier = tier
    return tier ~= "" and badge { name = "tier_" .. tier } or nil
  end,
}
