-- Points for a tournament's score, and a badge for the first three places when it is finished.
return rule {
  id = "tournament_points", version = "1.0.0", title = "Tournament points", owner = "tournaments",
  on    = { "tournament_score", "tournament_update" },
  score = function(event)
    return event.event_name == "tournament_score" and math.max(0, event.payload.score) / 10 or 0
  end,
  grant = function(event)
    local rank = event.payload.rank
    if event.payload.status == "finished" and rank ~= nil and rank <= 3 then
      return badge { name = event.payload.tournament_id:sub(1, 40) .. "_" .. rank }
    end
  end,
  caps  = { per_day = 5000 },
}
