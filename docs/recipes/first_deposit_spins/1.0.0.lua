-- Twenty free spins for the very first deposit, from 10 euro on.
return rule {
  id = "first_deposit_spins", version = "1.0.0", title = "Spins for the first deposit", owner = "crm",
  on         = "deposit",
  where      = { currency = "EUR" },
  aggregates = { deposits = count("all") },
  when       = function(event, player)
    return player.agg.deposits == 1 and tonumber(event.payload.amount) >= 10
  end,
  grant      = function() return freespins { count = 20, game = "slot_wolf", expires_in = "7d" } end,
  guards     = { kyc_min_level = 1, rg = true, budget = "nov_season" },
}
