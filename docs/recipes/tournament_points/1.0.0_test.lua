local function scored(score)
  return { event_name = "tournament_score", payload = { tournament_id = "t1", score = score } }
end
local function ended(rank, status)
  return { event_name = "tournament_update", payload = { tournament_id = "t1", status = status or "finished", rank = rank } }
end

return tests {
  { name = "a tenth of the score", events = { scored(1234), scored(-50) }, expect = { points = 123, rewards = 0 } },
  { name = "the podium", events = { ended(3) }, expect = { points = 0, rewards = 1 } },
  { name = "not the fourth, and not before the end", events = { ended(4), ended(1, "running"), ended(nil) },
    expect = { rewards = 0 } },
}
