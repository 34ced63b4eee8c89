return tests {
  { name = "four times the stake", args = { 2, 0.5 }, expect = 4 },
  { name = "a stake of nothing is no multiple", args = { 2, 0 }, expect = 0 },
  { name = "nothing won", args = { 0, 1 }, expect = 0 },
}
