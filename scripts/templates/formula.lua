-- How many times the stake was won; a stake of nothing is no multiple. A rule takes it, at the top of its file, with
--   local multiple = formula "@ID@@1.0.0"
return formula {
  id = "@ID@", version = "1.0.0", title = "Times the stake", owner = "me",
  compute = function(win, bet)
    if not bet or bet <= 0 then
      return 0
    end
    return (win or 0) / bet
  end,
}
