-- Thirty free spins for who proves who he is: when KYC level 2 is reached for the first time.
return rule {
  id = "kyc_thanks", version = "1.0.0", title = "Thank you for the papers", owner = "compliance",
  on     = "kyc_status_changed",
  state  = { thanked = false },
  grant  = function(event, player, state)
    if event.payload.level >= 2 and not state.thanked then
      state.thanked = true
      return freespins { count = 30, game = "slot_wolf", wagering = 5 }
    end
  end,
  guards = { kyc_min_level = 2, rg = true, budget = "nov_season" },
}
