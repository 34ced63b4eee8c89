local function kyc(level)
  return { event_name = "kyc_status_changed", payload = { level = level } }
end

return tests {
  { name = "level 2, paid at once: the event itself lifts the guard", events = { kyc(2) }, expect = { rewards = 1, held = 0 } },
  { name = "level 1 is not enough", events = { kyc(1) }, expect = { rewards = 0 } },
  { name = "down and up again pays nothing more", events = { kyc(2), kyc(1), kyc(3) }, expect = { rewards = 1 } },
}
