-- Every tenth purchase of 5 euro or more earns a coupon; a refund takes its stamp back.
return rule {
  id = "stamp_card", version = "1.0.0", title = "Stamp card", owner = "retail",
  on     = { "purchase", "refund" },
  where  = { currency = "EUR" },
  state  = { stamps = 0, coupons = 0 },
  grant  = function(event, player, state)
    if tonumber(event.payload.amount) < 5 then
      return nil
    end
    if event.event_name == "refund" then
      state.stamps = state.stamps - 1
      return nil
    end
    state.stamps = state.stamps + 1
    if state.stamps >= 10 * (state.coupons + 1) then
      state.coupons = state.coupons + 1
      return coupon { code = "TENTH_FREE", percent = 100, expires_in = "30d" }
    end
  end,
  guards = { kyc_min_level = 0, rg = true, budget = "nov_season" },
}
