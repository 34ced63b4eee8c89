-- At the end of a session: a tenth of what the day lost back as bonus cash, from 20 euro of losses on, once a day.
return rule {
  id = "loss_cashback", version = "1.0.0", title = "A tenth of the day's losses", owner = "crm",
  on         = { "bet", "session_end" },
  aggregates = { staked = sum("payload.bet", "1d"), won = sum("payload.win", "1d") },
  state      = { paid_day = 0 },
  when       = function(event) return event.event_name == "session_end" end,
  grant      = function(event, player, state)
    local lost = (player.agg.staked or 0) - (player.agg.won or 0)
    if lost < 20 or state.paid_day == event.day_no then
      return nil
    end
    state.paid_day = event.day_no
    return bonus_cash { amount = percent_of(math.min(lost, 1000), 10, "EUR"), currency = "EUR", wagering = 1 }
  end,
  guards     = { kyc_min_level = 2, rg = true, budget = "nov_season" },
}
