return rule { id = "r", version = "1.0.0", on = "bet", experiment = "ab", score = by_arm { control = 1, treatment = function(event, player) return player.arm() and 2 end, otherwise = 3 } }
