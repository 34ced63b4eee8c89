local f = formula "f@1.0.0"
return rule { id = "r", version = "1.0.0", on = "bet",
  score = function(event) return f(event.payload.win, event.payload.bet) end }
