local HALF = 0.5
return formula {
  id = "win_multiple", version = "1.0.0", title = "t", owner = "o",
  compute = function(win, bet)
    if not bet or bet < HALF then return 0 end
    return math.floor(win / bet)
  end,
}
