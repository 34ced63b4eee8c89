-- Points by steps: one for each euro up to 100, one and a half up to 500, two beyond.
local STEPS = { { from = 0, rate = 1 }, { from = 100, rate = 1.5 }, { from = 500, rate = 2 } }

return formula {
  id = "tiered", version = "1.0.0", title = "Points by steps", owner = "growth",
  compute = function(amount)
    local points = 0
    for i, step in ipairs(STEPS) do
      local to = i < #STEPS and STEPS[i + 1].from or amount
      points = points + step.rate * math.max(0, math.min(amount, to) - step.from)
    end
    return points
  end,
}
