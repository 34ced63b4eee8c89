-- A badge for a win of a hundred times the stake, and a rarer one for a thousand times.
return rule {
  id = "big_win", version = "1.0.0", title = "Big wins", owner = "growth",
  on    = { "win", "bet" },
  grant = function(event)
    local stake, win = tonumber(event.payload.bet) or 0, tonumber(event.payload.win) or 0
    if stake <= 0 then
      return nil
    elseif win >= 1000 * stake then
      return badge { name = "thousandfold" }
    elseif win >= 100 * stake then
      return badge { name = "hundredfold" }
    end
  end,
}
