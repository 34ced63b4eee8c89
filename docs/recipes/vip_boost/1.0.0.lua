-- VIPs earn twice the points; who is neither in "vip" nor in "gold" is not asked at all.
return rule {
  id = "vip_boost", version = "1.0.0", title = "VIP boost", owner = "vip",
  on    = "bet",
  when  = function(event, player)
    return player.segments.has("vip") or player.attributes.tier == "gold"
  end,
  score = function(event, player)
    local factor = player.segments.has("vip") and 2 or 1.5
    return factor * tonumber(event.payload.bet)
  end,
  caps  = { per_day = 1000 },
}
