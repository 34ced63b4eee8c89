-- A thank-you for the first login with the app on a phone, in three countries.
return rule {
  id = "app_install", version = "1.0.0", title = "Hello, app", owner = "mobile",
  on     = "login",
  where  = { platform = { "android", "ios" }, geo = { "TR", "BR", "PE" } },
  aggregates = { logins = count("all") },
  grant  = function(event, player)
    if player.agg.logins == 1 then
      return freespins { count = 5, game = "slot_wolf", expires_in = "24h" }
    end
  end,
  guards = { kyc_min_level = 1, rg = true, budget = "nov_season", geo = { "TR", "BR", "PE" } },
}
